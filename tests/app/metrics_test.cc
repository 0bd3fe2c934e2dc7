#include "app/process/metrics.h"

#include <gmock/gmock.h>

namespace dwell {
namespace {

using ::testing::AllOf;
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
  const auto text = Metrics().text();
  for (const auto outcome : kOutcomeNames) {
    EXPECT_THAT(text, HasSubstr(fmt::format("dwell_records_total{{outcome=\"{}\"}} 0\n", outcome)));
  }
  for (const char* name :
       {"dwell_batches_total", "dwell_commit_failures_total", "dwell_input_gaps_total",
        "dwell_devices", "dwell_commit_seconds_count"}) {
    EXPECT_THAT(text, HasSubstr(fmt::format("\n{} 0\n", name)));
  }
  EXPECT_THAT(text, Not(HasSubstr("dwell_http_requests_total{")));
}

TEST(Metrics, CommittedRecordsAreCountedByOutcome) {
  Metrics metrics;
  metrics.committed(unit_of({Outcome::accepted, Outcome::accepted, Outcome::too_large}));
  metrics.committed(unit_of({Outcome::accepted}));
  const auto text = metrics.text();
  EXPECT_THAT(text, HasSubstr("dwell_records_total{outcome=\"accepted\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("dwell_records_total{outcome=\"too_large\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("dwell_records_total{outcome=\"duplicate\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\ndwell_batches_total 2\n"));
}

TEST(Metrics, DevicesOfThePastAreThereBeforeTheFirstCommit) {
  Metrics metrics;
  metrics.holds("member 0", 1, 4);
  metrics.holds("member 1", 2, 3);
  EXPECT_THAT(metrics.text(), HasSubstr("\ndwell_devices 7\n"));
  EXPECT_THAT(metrics.text(), HasSubstr("\ndwell_partitions 3\n"));
}

TEST(Metrics, CommitsAreTimedAndFailuresAndGapsCounted) {
  Metrics metrics;
  metrics.commit_took(std::chrono::milliseconds(2));
  metrics.commit_failed();
  metrics.gap();
  metrics.gap();
  const auto text = metrics.text();
  EXPECT_THAT(text, HasSubstr("\ndwell_commit_seconds_count 1\n"));
  EXPECT_THAT(text, HasSubstr("dwell_commit_seconds_bucket{le=\"0.001\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("dwell_commit_seconds_bucket{le=\"0.0025\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\ndwell_commit_failures_total 1\n"));
  EXPECT_THAT(text, HasSubstr("\ndwell_input_gaps_total 2\n"));
}

TEST(Metrics, LagIsAskedForEachTimeUntilItsReaderEnds) {
  Metrics metrics;
  std::vector<Metrics::Lag> lags = {{"cleaned", 0, 7}, {"cleaned", 3, 0}};
  const auto number = metrics.add_lags([&] { return lags; });
  const auto other = metrics.add_lags([] { return std::vector<Metrics::Lag>{{"state", 0, 1}}; });
  const std::string first = "dwell_consumer_lag_records{partition=\"0\",topic=\"cleaned\"} ";
  const std::string fourth = "dwell_consumer_lag_records{partition=\"3\",topic=\"cleaned\"} ";
  const std::string state = "dwell_consumer_lag_records{partition=\"0\",topic=\"state\"} 1\n";
  EXPECT_THAT(metrics.text(),
              AllOf(HasSubstr(first + "7\n"), HasSubstr(fourth + "0\n"), HasSubstr(state)));
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
