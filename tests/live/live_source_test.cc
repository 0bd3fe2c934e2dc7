#include "live/live_source.h"

#include <gmock/gmock.h>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/scripted_source.h"
#include "tests/live/answers.h"

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LiveSourceTest : public testing::Test {
 protected:
  LiveSourceTest() { queue_.open(); }

  void submit(const std::vector<std::string>& records) {
    queue_.submit(submission(records), answers_.next());
  }
  // "source:offset bytes" of each record, and "source=next" of each position, in the next batch.
  std::vector<std::string> poll() {
    const auto batch = source_.poll();
    EXPECT_TRUE(batch);
    EXPECT_FALSE(batch->is_last);
    std::vector<std::string> all;
    for (const Record& record : batch->single().records) {
      EXPECT_LT(record.source, batch->single().positions.size());
      all.push_back(fmt::format("{}:{} {}", batch->single().positions[record.source].source,
                                record.offset, record.bytes));
    }
    for (const Position& position : batch->single().positions) {
      all.push_back(fmt::format("{}={}", position.source, position.next));
    }
    return all;
  }

  FakeClock clock_;
  Answers answers_;
  IntakeQueue queue_{{}, clock_};
  Script script_ = {raw_record("x", 1), raw_record("y", 1), raw_record("z", 1)};
  ScriptedSource file_{script_, {2, 1}, "file"};
  LiveSource source_{&file_, queue_, Milliseconds{0}};
};

TEST_F(LiveSourceTest, TheFileComesFirstInEachBatchAndNeitherWaitsForTheOther) {
  submit({"a"});
  EXPECT_THAT(poll(), ElementsAre("file:0 x", "file:1 y", "http:0 a", "file=2", "http=1"));
  queue_.committed(std::vector{Outcome::malformed});
  EXPECT_THAT(poll(), ElementsAre("file:2 z", "file=3"));
  submit({"b"});
  EXPECT_THAT(poll(), ElementsAre("http:1 b", "http=2"));
}

TEST_F(LiveSourceTest, GoesOnWhenTheFileHasEnded) {
  poll();
  poll();
  poll();
  EXPECT_THAT(poll(), IsEmpty());
  submit({"a"});
  EXPECT_THAT(poll(), ElementsAre("http:0 a", "http=1"));
}

TEST_F(LiveSourceTest, GoingBackReadsBothAgain) {
  submit({"a"});
  const auto first = source_.poll();
  ASSERT_TRUE(first);
  const std::vector<Position> committed = {first->single().positions[0], {"http", 0, ""}};
  poll();
  poll();
  ASSERT_TRUE(source_.seek(0, committed));
  EXPECT_THAT(poll(), ElementsAre("file:2 z", "http:0 a", "file=3", "http=1"));
}

TEST_F(LiveSourceTest, NeedsNoFile) {
  LiveSource source(nullptr, queue_, Milliseconds{0});
  ASSERT_TRUE(source.seek(0, {}));
  EXPECT_THAT(source.poll()->single().records, IsEmpty());
  submit({"a"});
  EXPECT_EQ(source.poll()->single().records.size(), 1u);
}

TEST_F(LiveSourceTest, AnErrorOfTheFileIsItsOwn) {
  file_.polls().set({1, ErrorKind::retry_later});
  submit({"a"});
  const auto failed = source_.poll();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::retry_later);
  EXPECT_THAT(poll(), ElementsAre("file:0 x", "file:1 y", "http:0 a", "file=2", "http=1"));
}

}  // namespace
}  // namespace dwell
