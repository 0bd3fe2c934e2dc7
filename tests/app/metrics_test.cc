#include "app/process/metrics.h"

#include <gmock/gmock.h>

#include "app/process/observers.h"
#include "tests/fakes/fake_clock.h"

namespace dwell {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

Unit unit_of(const std::vector<Outcome>& outcomes) {
  Unit unit;
  unit.outcomes = outcomes;
  return unit;
}

std::size_t lines_with(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Metrics, EveryOutcomeIsThereFromTheStart) {
  Metrics metrics;
  metrics.stage(StageName::clean);
  const auto text = metrics.text();
  for (const auto outcome : kOutcomeNames) {
    EXPECT_THAT(text, HasSubstr(fmt::format(
                          "dwell_records_total{{outcome=\"{}\",stage=\"clean\"}} 0\n", outcome)));
  }
  for (const char* name :
       {"dwell_batches_total", "dwell_devices", "dwell_state_bytes", "dwell_commit_seconds_count",
        "dwell_end_to_end_seconds_count", "dwell_restore_seconds_count", "dwell_rebalances_total",
        "dwell_checkpoints_total", "dwell_rejects_kept_total"}) {
    EXPECT_THAT(text, HasSubstr(fmt::format("\n{}{{stage=\"clean\"}} 0\n", name)));
  }
  EXPECT_THAT(text, HasSubstr("\ndwell_input_gaps_total 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("dwell_http_requests_total{")));
  EXPECT_THAT(text, Not(HasSubstr("stage=\"store\""))) << "which this process has not";
}

TEST(Metrics, CommittedRecordsAreCountedByOutcomeAndStage) {
  Metrics metrics;
  auto& clean = metrics.stage(StageName::clean);
  clean.committed(unit_of({Outcome::accepted, Outcome::accepted, Outcome::too_large}), {});
  clean.committed(unit_of({Outcome::accepted}), {});
  metrics.stage(StageName::hop).stored(9, 0);
  metrics.stage(StageName::store).stored(7, 2);
  const auto text = metrics.text();
  for (const char* line :
       {R"(records_total{outcome="accepted",stage="clean"} 3)",
        R"(records_total{outcome="too_large",stage="clean"} 1)",
        R"(records_total{outcome="duplicate",stage="clean"} 0)",
        R"(records_total{outcome="copied",stage="hop"} 9)",
        R"(records_total{outcome="stored",stage="store"} 7)",
        R"(records_total{outcome="not_cleaned",stage="store"} 2)",
        R"(rejects_kept_total{stage="store"} 2)", R"(batches_total{stage="clean"} 2)",
        R"(batches_total{stage="store"} 1)"}) {
    EXPECT_THAT(text, HasSubstr(fmt::format("\ndwell_{}\n", line)));
  }
}

TEST(Metrics, WhatMembersHoldIsAddedUpUntilTheyEnd) {
  Metrics metrics;
  FakeClock clock;
  MetricsObserver one(metrics, StageName::clean, clock);
  one.observe(Ready{{}, 4, 1'000, 1});
  {
    MetricsObserver other(metrics, StageName::clean, clock);
    other.observe(Ready{{}, 3, 500, 2});
    const auto text = metrics.text();
    EXPECT_THAT(text, HasSubstr("\ndwell_devices{stage=\"clean\"} 7\n"));
    EXPECT_THAT(text, HasSubstr("\ndwell_state_bytes{stage=\"clean\"} 1500\n"));
    EXPECT_THAT(text, HasSubstr("\ndwell_partitions{stage=\"clean\"} 3\n"));
    EXPECT_THAT(text, HasSubstr("\ndwell_restore_seconds_count{stage=\"clean\"} 2\n"));
  }
  EXPECT_THAT(metrics.text(), HasSubstr("\ndwell_devices{stage=\"clean\"} 4\n"));
}

TEST(Metrics, CommitsAreTimedAndFailuresAndGapsCounted) {
  Metrics metrics;
  auto& stage = metrics.stage(StageName::embedded);
  stage.commit_took(std::chrono::milliseconds(2));
  stage.commit_failed(ErrorKind::retry_later);
  stage.commit_failed(ErrorKind::lost_ownership);
  stage.commit_failed(ErrorKind::lost_ownership);
  stage.kept({2, 5, 3});
  metrics.gap();
  metrics.gap();
  const auto text = metrics.text();
  for (const char* line : {R"(commit_seconds_count{stage="embedded"} 1)",
                           R"(commit_seconds_bucket{stage="embedded",le="0.001"} 0)",
                           R"(commit_seconds_bucket{stage="embedded",le="0.0025"} 1)",
                           R"(commit_failures_total{reason="retried",stage="embedded"} 1)",
                           R"(commit_failures_total{reason="fenced",stage="embedded"} 2)",
                           R"(rejects_kept_total{stage="embedded"} 5)",
                           R"(rejects_dropped_total{stage="embedded"} 3)", "input_gaps_total 2"}) {
    EXPECT_THAT(text, HasSubstr(fmt::format("\ndwell_{}\n", line)));
  }
}

TEST(Metrics, TheWayOfAnEventIsTimedFromItsOwnTime) {
  Metrics metrics;
  auto& stage = metrics.stage(StageName::store);
  const Timestamp now = from_ms(1'000'000);
  const std::vector<Timestamp> times = {now,
                                        now - Milliseconds(5),
                                        now - Milliseconds(6),
                                        now - std::chrono::minutes(10),
                                        now - std::chrono::hours(1),
                                        now + Milliseconds(1)};
  stage.stored_rows({6, 1, 2, 3, 4}, times, now);
  const auto text = metrics.text();
  for (const char* line :
       {R"(end_to_end_seconds_count{stage="store"} 6)",
        R"(end_to_end_seconds_sum{stage="store"} 4200.011)",
        R"(end_to_end_seconds_bucket{stage="store",le="0.005"} 3)",
        R"(end_to_end_seconds_bucket{stage="store",le="0.01"} 4)",
        R"(end_to_end_seconds_bucket{stage="store",le="300"} 4)",
        R"(end_to_end_seconds_bucket{stage="store",le="600"} 5)",
        R"(end_to_end_seconds_bucket{stage="store",le="+Inf"} 6)",
        R"(events_ahead_total{stage="store"} 1)", R"(store_inserts_total{stage="store"} 6)",
        R"(store_retracts_total{stage="store"} 1)", R"(store_absorbed_total{stage="store"} 2)",
        R"(store_faults_total{stage="store"} 3)", R"(store_expired_total{stage="store"} 4)"}) {
    EXPECT_THAT(text, HasSubstr(fmt::format("\ndwell_{}\n", line)));
  }
}

TEST(Metrics, ReadingsAreAskedForUntilTheyAreLetGo) {
  Metrics metrics("1.2.3");
  double connections = 3;
  auto shown = metrics.add_readings([&]() -> std::vector<Metrics::Reading> {
    return {{"dwell_http_connections", "Connections", connections}};
  });
  EXPECT_THAT(metrics.text(), HasSubstr("\ndwell_http_connections 3\n"));
  connections = 1;
  EXPECT_THAT(metrics.text(), HasSubstr("\ndwell_http_connections 1\n"));
  shown.reset();
  EXPECT_THAT(metrics.text(), Not(HasSubstr("\ndwell_http_connections ")));
  EXPECT_THAT(metrics.text(), HasSubstr("dwell_build_info{version=\"1.2.3\"} 1\n"));
}

TEST(Metrics, TheProcessIsMeasured) {
  const auto text = Metrics().text();
  for (const char* name : {"process_cpu_seconds_total", "process_resident_memory_bytes",
                           "process_virtual_memory_bytes", "process_open_fds", "process_max_fds",
                           "process_threads", "process_start_time_seconds"}) {
    EXPECT_THAT(text, ContainsRegex(fmt::format("\n{} [0-9.]*[1-9]", name)));
  }
}

TEST(Metrics, LagIsAskedForEachTimeUntilItsReaderEnds) {
  Metrics metrics;
  std::vector<Metrics::Lag> lags = {{"cleaned", 0, 7, 1.5}, {"cleaned", 3, 0}};
  const auto number = metrics.add_lags([&] { return lags; });
  const auto other = metrics.add_lags([] { return std::vector<Metrics::Lag>{{"state", 0, 1}}; });
  const std::string first = "dwell_consumer_lag_records{partition=\"0\",topic=\"cleaned\"} ";
  const std::string fourth = "dwell_consumer_lag_records{partition=\"3\",topic=\"cleaned\"} ";
  const std::string state = "dwell_consumer_lag_records{partition=\"0\",topic=\"state\"} 1\n";
  EXPECT_THAT(metrics.text(),
              AllOf(HasSubstr(first + "7\n"), HasSubstr(fourth + "0\n"), HasSubstr(state)));
  EXPECT_THAT(metrics.text(),
              HasSubstr("dwell_consumer_lag_seconds{partition=\"0\",topic=\"cleaned\"} 1.5\n"));
  lags = {{"cleaned", 0, 8}};
  EXPECT_THAT(metrics.text(), AllOf(HasSubstr(first + "8\n"), Not(HasSubstr(fourth))));
  metrics.remove_lags(number);
  EXPECT_THAT(metrics.text(), AllOf(Not(HasSubstr(first)), HasSubstr(state)));
  metrics.remove_lags(other);
  EXPECT_THAT(metrics.text(), Not(HasSubstr("dwell_consumer_lag_records{")));
}

TEST(Metrics, LooksAtTopicsAreCounted) {
  Metrics metrics;
  EXPECT_THAT(metrics.text(), HasSubstr("\ndwell_topic_looks_total 0\n"));
  metrics.looked_at_topics();
  EXPECT_THAT(metrics.text(), HasSubstr("\ndwell_topic_looks_total 1\n"));
}

TEST(Metrics, RequestsAreCountedByRouteAndStatusAlone) {
  Metrics metrics;
  for (int i = 0; i < 100; ++i) {
    metrics.replied("/timeline/{device}", 200, std::chrono::milliseconds(i));
    metrics.replied("none", 404, std::chrono::milliseconds(i));
  }
  metrics.replied("/timeline/{device}", 400, std::chrono::milliseconds(1));
  const auto text = metrics.text();
  const std::string name = "dwell_http_requests_total{";
  EXPECT_THAT(text, HasSubstr(name + "route=\"/timeline/{device}\",status=\"200\"} 100\n"));
  EXPECT_THAT(text, HasSubstr(name + "route=\"/timeline/{device}\",status=\"400\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(name + "route=\"none\",status=\"404\"} 100\n"));
  EXPECT_EQ(lines_with(text, name), 3u);
  EXPECT_THAT(text,
              HasSubstr("dwell_http_request_seconds_count{route=\"/timeline/{device}\"} 101\n"));
  EXPECT_EQ(lines_with(text, "dwell_http_request_seconds_count{"), 2u);
}

}  // namespace
}  // namespace dwell
