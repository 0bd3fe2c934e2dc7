#include "telemetry/telemetry.h"

#include <gmock/gmock.h>

namespace dwell {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Takes everything, or nothing.
struct Taken {
  std::mutex mutex;
  bool is_away = false;
  std::vector<std::string> spans;
  std::vector<std::string> lines;
  int metrics = 0;
};

class FakeExporter final : public TelemetryExporter {
 public:
  explicit FakeExporter(Taken& taken) : taken_(taken) {}

  Sent send(std::span<const Span> spans) override {
    return keep([&] {
      for (const Span& span : spans) taken_.spans.push_back(span.name);
    });
  }
  Sent send(std::span<const LogLine> lines) override {
    return keep([&] {
      for (const LogLine& line : lines) taken_.lines.push_back(line.text);
    });
  }
  Sent send(const std::vector<prometheus::MetricFamily>&,
            std::chrono::system_clock::time_point) override {
    return keep([&] { ++taken_.metrics; });
  }

 private:
  template <typename Keep>
  Sent keep(Keep&& keep) {
    const std::lock_guard lock(taken_.mutex);
    if (taken_.is_away) return {Sent::Kind::refused, "it is away"};
    keep();
    return {};
  }

  Taken& taken_;
};

class TelemetryTest : public testing::Test {
 protected:
  std::unique_ptr<Telemetry> make(OtelSettings settings) {
    Telemetry::Process process;
    process.metrics = [] { return std::vector<prometheus::MetricFamily>(3); };
    process.tell = [this](bool is_well, const std::string& text) {
      const std::lock_guard lock(taken_.mutex);
      told_.emplace_back(is_well, text);
    };
    return std::make_unique<Telemetry>(settings, std::move(process),
                                       std::make_unique<FakeExporter>(taken_));
  }
  static OtelSettings all_on() {
    OtelSettings settings;
    settings.is_on = {true, true, true};
    settings.endpoint = "http://collector:4318";
    settings.metrics_every = std::chrono::hours(1);
    return settings;
  }
  static Span span(const char* name) {
    Span span;
    span.name = name;
    return span;
  }

  Taken taken_;
  std::vector<std::pair<bool, std::string>> told_;
};

TEST_F(TelemetryTest, SendsWhatWaitsBeforeItEnds) {
  auto telemetry = make(all_on());
  ASSERT_TRUE(telemetry->takes_span());
  telemetry->add(span("a"));
  telemetry->add(LogLine{{}, LogLevel::info, "line"});
  EXPECT_TRUE(Telemetry::end(std::move(telemetry)));
  EXPECT_THAT(taken_.spans, ElementsAre("a"));
  EXPECT_THAT(taken_.lines, ElementsAre("line"));
  EXPECT_EQ(taken_.metrics, 1);
  EXPECT_TRUE(told_.empty());
}

TEST_F(TelemetryTest, ASignalThatIsOffTakesNothing) {
  auto settings = all_on();
  settings.is_on = {false, false, true};
  auto telemetry = make(settings);
  EXPECT_FALSE(telemetry->takes_span());
  telemetry->add(span("a"));
  EXPECT_TRUE(Telemetry::end(std::move(telemetry)));
  EXPECT_TRUE(taken_.spans.empty());
  EXPECT_EQ(taken_.metrics, 0);
}

TEST_F(TelemetryTest, AnAbsentCollectorIsToldOnceAndCounted) {
  taken_.is_away = true;
  auto settings = all_on();
  settings.is_on = {true, false, false};
  settings.spans.batch = 1;
  auto telemetry = make(settings);
  for (int i = 0; i < 10; ++i) telemetry->add(span("lost"));
  while (telemetry->dropped(Signal::traces) < 10) std::this_thread::yield();
  {
    const std::lock_guard lock(taken_.mutex);
    ASSERT_EQ(told_.size(), 1u);
    EXPECT_FALSE(told_[0].first);
    EXPECT_THAT(told_[0].second, HasSubstr("traces"));
    EXPECT_THAT(told_[0].second, HasSubstr("http://collector:4318: it is away"));
    taken_.is_away = false;
  }
  telemetry->add(span("found"));
  EXPECT_TRUE(Telemetry::end(std::move(telemetry)));
  EXPECT_THAT(taken_.spans, ElementsAre("found"));
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_TRUE(told_[1].first);
}

}  // namespace
}  // namespace dwell
