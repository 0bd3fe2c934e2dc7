#include "app/process/repeat_filter.h"

#include <gmock/gmock.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <utility>

#include "tests/fakes/fake_clock.h"

namespace dwell {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Lines = std::vector<std::string>;

// Keeps what comes through, and from which task.
class KeepingSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  Lines lines;

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const auto level = spdlog::level::to_string_view(message.level);
    const auto& task = log_context().task;
    lines.push_back(fmt::format("{} {}{}", fmt::string_view(level.data(), level.size()),
                                fmt::string_view(message.payload.data(), message.payload.size()),
                                task.empty() ? "" : " [" + task + "]"));
  }
  void flush_() override {}
};

class RepeatFilterTest : public testing::Test {
 protected:
  void say(std::string_view text, spdlog::level::level_enum level = spdlog::level::warn) {
    log_.log(level, "{}", text);
  }
  // What came through since it was asked last.
  Lines came() { return std::exchange(kept_->lines, {}); }

  FakeClock clock_;
  std::shared_ptr<KeepingSink> kept_ = std::make_shared<KeepingSink>();
  spdlog::logger log_{"",
                      std::make_shared<RepeatFilter>(clock_, std::vector<spdlog::sink_ptr>{kept_})};
};

TEST_F(RepeatFilterTest, TheFirstComesAtOnceAndTheOthersAsACount) {
  for (int i = 0; i < 38; ++i) say("no answer");
  EXPECT_THAT(came(), ElementsAre("warning no answer"));
  clock_.sleep(9'999ms);
  say("something else");
  EXPECT_THAT(came(), ElementsAre("warning something else"));
  clock_.sleep(1ms);
  say("another line");
  EXPECT_THAT(came(),
              ElementsAre("warning no answer (37 times more in 10 s)", "warning another line"));
}

TEST_F(RepeatFilterTest, ALineThatGoesOnComesOnceInTenSeconds) {
  for (int second = 0; second <= 30; ++second) {
    say("no answer");
    clock_.sleep(1s);
  }
  EXPECT_THAT(came(), ElementsAre("warning no answer", "warning no answer (10 times more in 10 s)",
                                  "warning no answer (10 times more in 10 s)",
                                  "warning no answer (10 times more in 10 s)"));
}

TEST_F(RepeatFilterTest, ALineThatCameAloneComesAgainAsItIs) {
  say("no answer");
  clock_.sleep(10s);
  say("no answer");
  EXPECT_THAT(came(), ElementsAre("warning no answer", "warning no answer"));
}

TEST_F(RepeatFilterTest, ACountThatIsToldLateSaysOverHowLong) {
  say("no answer");
  say("no answer");
  clock_.sleep(1min);
  say("back");
  EXPECT_THAT(came(), ElementsAre("warning no answer", "warning no answer (1 time more in 60 s)",
                                  "warning back"));
}

TEST_F(RepeatFilterTest, LinesOfOtherLevelsAreOthers) {
  say("full");
  say("full", spdlog::level::err);
  EXPECT_THAT(came(), ElementsAre("warning full", "error full"));
}

TEST_F(RepeatFilterTest, AtTheEndWhatIsCountedIsTold) {
  say("no answer");
  say("no answer");
  say("once");
  came();
  log_.flush();
  EXPECT_THAT(came(), ElementsAre("warning no answer (1 time more in 1 s)"));
  log_.flush();
  EXPECT_THAT(came(), IsEmpty());
}

TEST_F(RepeatFilterTest, ItRemembersSoManyLinesAndTellsTheCountOfThoseThatGo) {
  say("no answer");
  say("no answer");
  for (int i = 0; i < 255; ++i) say(fmt::format("line {}", i));
  EXPECT_THAT(came(), SizeIs(256));
  say("one more");
  EXPECT_THAT(came(), ElementsAre("warning no answer (1 time more in 1 s)", "warning one more"));
  say("no answer");  // is forgotten
  EXPECT_THAT(came(), ElementsAre("warning no answer"));
}

TEST_F(RepeatFilterTest, ManyLinesOfLittleWeightDoNotPushOutAGraveOne) {
  log_.set_level(spdlog::level::debug);
  say("no answer");
  for (int i = 0; i < 1'000; ++i) say(fmt::format("request {}", i), spdlog::level::debug);
  came();
  say("no answer");
  EXPECT_THAT(came(), IsEmpty());
}

TEST_F(RepeatFilterTest, ACountIsOfTheTaskThatSaidAllOfThem) {
  log_context().task = "member 0";
  say("mine");
  say("mine");
  say("of both");
  log_context().task = "member 1";
  say("of both");
  clock_.sleep(10s);
  log_context().task = "";
  say("end");
  EXPECT_THAT(came(), ElementsAre("warning mine [member 0]", "warning of both [member 0]",
                                  "warning mine (1 time more in 10 s) [member 0]",
                                  "warning of both (1 time more in 10 s)", "warning end"));
}

TEST_F(RepeatFilterTest, TheCountOfALongLineIsShown) {
  const std::string text(100'000, 'x');
  say(text);
  say(text);
  came();
  log_.flush();
  const auto lines = came();
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_LT(lines[0].size(), 700u);
  EXPECT_TRUE(lines[0].ends_with("xxx... (1 time more in 1 s)")) << lines[0];
}

}  // namespace
}  // namespace dwell
