#include "telemetry/otel_settings.h"

#include <fstream>
#include <gmock/gmock.h>
#include <map>

namespace dwell {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

OtelSettings read(const std::map<std::string, std::string>& variables) {
  return read_otel([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(OtelSettings, WithoutAnEndpointNothingIsOn) {
  EXPECT_FALSE(read({}).is_any_on());
  EXPECT_FALSE(read({{"OTEL_SERVICE_NAME", "a"}, {"OTEL_EXPORTER_OTLP_ENDPOINT", ""}}).is_any_on());
}

TEST(OtelSettings, OneEndpointTurnsAllSignalsOn) {
  const auto settings = read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"}});
  EXPECT_THAT(settings.is_on, ElementsAre(true, true, true));
  EXPECT_THAT(settings.uses_grpc, ElementsAre(false, false, false));
  EXPECT_EQ(settings.endpoint, "http://c:4318");
  EXPECT_THAT(settings.warnings, IsEmpty());
}

TEST(OtelSettings, EachSignalHasItsOwn) {
  const auto settings = read({{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://c/v1/metrics"},
                              {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
                              {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://c/v1/logs"},
                              {"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf"}});
  EXPECT_THAT(settings.is_on, ElementsAre(false, true, true));
  EXPECT_THAT(settings.uses_grpc, ElementsAre(false, true, false));
  const auto one = read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"},
                         {"OTEL_LOGS_EXPORTER", "none"},
                         {"OTEL_METRICS_EXPORTER", "none"}});
  EXPECT_THAT(one.is_on, ElementsAre(true, false, false));
  EXPECT_FALSE(read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"}, {"OTEL_SDK_DISABLED", "true"}})
                   .is_any_on());
}

TEST(OtelSettings, SamplersDifferOnlyWithoutANamedOne) {
  const auto settings = read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"}});
  EXPECT_TRUE(settings.requests.takes_root(trace_of("a")));
  int taken = 0;
  for (int i = 0; i < 10'000; ++i)
    taken += settings.records.takes_root(trace_of(std::to_string(i)));
  EXPECT_NEAR(taken, 100, 40);
  const auto named = read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"},
                           {"OTEL_TRACES_SAMPLER", "parentbased_always_off"}});
  EXPECT_FALSE(named.requests.takes_roots());
  EXPECT_FALSE(named.records.takes_roots());
}

TEST(OtelSettings, WhatCannotBeUsedIsLeftOutAndTold) {
  const auto settings = read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"},
                              {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"},
                              {"OTEL_TRACES_SAMPLER", "jaeger_remote"},
                              {"OTEL_TRACES_SAMPLER_ARG", "2"},
                              {"OTEL_BSP_MAX_QUEUE_SIZE", "-1"},
                              {"OTEL_METRIC_EXPORT_INTERVAL", "soon"},
                              {"OTEL_PROPAGATORS", "b3"}});
  EXPECT_THAT(
      settings.warnings,
      ElementsAre(HasSubstr("OTEL_EXPORTER_OTLP_PROTOCOL"), HasSubstr("OTEL_TRACES_SAMPLER_ARG"),
                  HasSubstr("OTEL_TRACES_SAMPLER"), HasSubstr("OTEL_BSP_MAX_QUEUE_SIZE"),
                  HasSubstr("OTEL_METRIC_EXPORT_INTERVAL"), HasSubstr("OTEL_PROPAGATORS")));
  EXPECT_EQ(settings.spans.capacity, 2'048u);
  EXPECT_EQ(settings.metrics_every, std::chrono::minutes(1));
}

TEST(OtelSettings, ValuesOfHeadersAreSecrets) {
  const auto settings = read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"},
                              {"OTEL_EXPORTER_OTLP_HEADERS", "api-key=s3cret,tenant=one"},
                              {"OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x=y=z"}});
  EXPECT_THAT(settings.secrets, testing::UnorderedElementsAre("s3cret", "one", "y=z"));
  for (const OtelVariable& variable : otel_variables()) {
    EXPECT_EQ(variable.is_secret, variable.name.ends_with("_HEADERS")) << variable.name;
  }
}

TEST(OtelSettings, TheirPageNamesEachVariable) {
  std::ifstream file(DWELL_SOURCE_DIR "/docs/telemetry.md");
  const std::string page(std::istreambuf_iterator<char>(file), {});
  for (const OtelVariable& variable : otel_variables()) {
    // Those of one signal go by the common ones.
    auto name = variable.name;
    for (const std::string signal : {"OTLP_TRACES_", "OTLP_METRICS_", "OTLP_LOGS_"}) {
      const auto at = name.find(signal);
      const bool is_own = name.ends_with("PREFERENCE") || name.ends_with("AGGREGATION");
      if (at != std::string::npos && !is_own) name.replace(at, signal.size(), "OTLP_");
    }
    EXPECT_THAT(page, HasSubstr("`" + name + "`"));
  }
}

}  // namespace
}  // namespace dwell
