#include <array>
#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sstream>

#include "app/process/observers.h"

namespace dwell {
namespace {

using namespace std::chrono_literals;

// The log goes to a text meanwhile.
class LogObserverTest : public ::testing::Test {
 protected:
  LogObserverTest() : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "", std::make_shared<spdlog::sinks::ostream_sink_st>(said_)));
    spdlog::default_logger()->set_pattern("%l %v");
    spdlog::set_level(spdlog::level::debug);
  }
  ~LogObserverTest() override { spdlog::set_default_logger(before_); }

  // What the log says then.
  std::string told(LogObserver& observer, const Observation& observation) {
    said_.str("");
    observer.observe(observation);
    return said_.str();
  }

  std::shared_ptr<spdlog::logger> before_;
  std::ostringstream said_;
};

TEST_F(LogObserverTest, TellsAtDebugOfPartitionsAndCommits) {
  LogObserver observer("member 0");
  const std::array<PartitionId, 2> partitions{4, 7};
  EXPECT_EQ(told(observer, Gained{partitions}), "debug member 0: gained partitions 4, 7\n");
  EXPECT_EQ(told(observer, Lost{partitions, false}), "debug member 0: gave up partitions 4, 7\n");
  EXPECT_EQ(told(observer, Lost{partitions, true}),
            "debug member 0: gave up partitions 4, 7, which the group had taken\n");
  Committed committed;
  committed.changes = 12;
  committed.took = 1'260us;
  EXPECT_EQ(told(observer, committed), "") << "nothing became durable";
  committed.has_batch = true;
  EXPECT_EQ(told(observer, committed), "debug member 0: committed 12 records in 1.3 ms\n");
  EXPECT_EQ(told(observer, Polling{}), "");
}

TEST_F(LogObserverTest, TellsNothingOfCommitsAtInfo) {
  spdlog::set_level(spdlog::level::info);
  LogObserver observer("");
  Committed committed;
  committed.has_batch = true;
  EXPECT_EQ(told(observer, committed), "");
}

}  // namespace
}  // namespace dwell
