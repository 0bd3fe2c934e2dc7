#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sstream>

#include "app/process/observers.h"
#include "tests/fakes/fake_clock.h"

namespace dwell {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kEnter = R"({"device_id":"a","event_type":"device_enter","timestamp":2000})";
constexpr const char* kEarlierExit =
    R"({"device_id":"a","event_type":"device_exit","timestamp":1000})";

// The log goes to a text meanwhile.
class Summary : public ::testing::Test {
 protected:
  Summary() : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "", std::make_shared<spdlog::sinks::ostream_sink_st>(said_)));
    spdlog::default_logger()->set_pattern("%v");
  }
  ~Summary() override { spdlog::set_default_logger(before_); }

  // Commits a batch of these records; what the log says then.
  std::string commit(const std::vector<std::string>& texts) {
    std::vector<Record> records;
    for (const auto& text : texts) {
      records.push_back({.bytes = text, .offset = offset_++, .now = from_ms(10'000)});
    }
    const std::vector<Position> positions{{"in.ndjson", offset_, ""}};
    partitions_[0].unit = &partitions_[0].fold.fold(records, positions);
    Committed committed;
    committed.folds = partitions_;
    return told(committed);
  }
  std::string told(const Observation& observation) {
    said_.str("");
    observer_.observe(observation);
    return said_.str();
  }

  std::shared_ptr<spdlog::logger> before_;
  std::ostringstream said_;
  FakeClock clock_;
  SummaryObserver observer_{Rule(), clock_};
  std::vector<Partition> partitions_ = [] {
    std::vector<Partition> one;
    one.push_back({0, Fold(Rule(), 1)});
    return one;
  }();
  Offset offset_ = 0;
};

TEST_F(Summary, OfWhatIsRejectedComesAtOnceAndThenOnceAMinute) {
  EXPECT_EQ(commit({kEnter}), "");
  EXPECT_THAT(commit({"[1]"}),
              AllOf(HasSubstr("rejected 1 malformed; the first, at 1 of in.ndjson"),
                    HasSubstr("the record is an array, and one record is one event: [1]")));
  EXPECT_EQ(commit({"[2]", "[3]"}), "");
  EXPECT_EQ(told(Polling{}), "");
  clock_.sleep(std::chrono::seconds(59));
  EXPECT_EQ(commit({R"({"device_id":"a"})"}), "");
  clock_.sleep(std::chrono::seconds(1));
  EXPECT_THAT(told(Polling{}),
              HasSubstr("rejected 1 invalid_event_type, 2 malformed; the first, at 2"));
  clock_.sleep(std::chrono::hours(1));
  EXPECT_EQ(told(Polling{}), "");
}

TEST_F(Summary, OfEventsOutOfOrderSaysWhatPutsThemInPlace) {
  EXPECT_THAT(commit({kEnter, kEarlierExit}),
              AllOf(HasSubstr("late: 1 accepted events"), HasSubstr("order.mode = event_time")));
}

}  // namespace
}  // namespace dwell
