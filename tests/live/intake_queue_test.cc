#include "live/intake_queue.h"

#include <gmock/gmock.h>

#include "tests/fakes/fake_clock.h"
#include "tests/live/answers.h"

namespace dwell {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Error kFull{ErrorKind::retry_later, "the disk is full"};

class IntakeQueueTest : public testing::Test {
 protected:
  IntakeQueueTest() { queue_.open(); }

  void submit(const std::vector<std::string>& records) {
    queue_.submit(submission(records), answers_.next());
  }
  // The records of the next batch.
  std::vector<std::string> poll() {
    const auto batch = queue_.poll();
    EXPECT_TRUE(batch);
    std::vector<std::string> all;
    for (const Record& record : batch->single().records) all.emplace_back(record.bytes);
    if (all.empty()) {
      EXPECT_THAT(batch->single().positions, IsEmpty());
    } else {
      EXPECT_EQ(batch->single().positions.size(), 1u);
      next_ = batch->single().positions[0].next;
    }
    return all;
  }
  void commit(const std::vector<Outcome>& outcomes) { queue_.committed(outcomes); }
  // What a pipeline does after aborted or unknown_outcome.
  void seek(Offset committed) {
    EXPECT_TRUE(queue_.seek(0, std::vector<Position>{{"http", committed, ""}}));
  }

  FakeClock clock_;
  Answers answers_;
  IntakeQueue queue_{{.queued_bytes = 100, .batch_records = 4}, clock_};
  Offset next_ = 0;  // the position of the last batch
};

constexpr auto kAccepted = Outcome::accepted;
constexpr auto kDuplicate = Outcome::duplicate;

TEST_F(IntakeQueueTest, WhatWaitsIsCommittedTogetherAndEachGetsItsOwnOutcomes) {
  submit({"a", "b"});
  submit({"c"});
  EXPECT_THAT(poll(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(queue_.polled(), 3u);
  EXPECT_EQ(next_, 3);
  EXPECT_THAT(answers_.texts(), ElementsAre("", ""));
  commit({kAccepted, kDuplicate, Outcome::repeated_exit});
  EXPECT_THAT(answers_.texts(), ElementsAre("accepted duplicate", "repeated_exit"));
  EXPECT_THAT(poll(), IsEmpty());
  EXPECT_EQ(queue_.polled(), 0u);
}

TEST_F(IntakeQueueTest, RecordsAreNumberedAndTimed) {
  submit({"a"});
  poll();
  commit({kAccepted});
  clock_.sleep(Milliseconds{5});
  submit({"b", "c"});
  const auto batch = queue_.poll();
  ASSERT_EQ(batch->single().records.size(), 2u);
  EXPECT_EQ(batch->single().records[0].offset, 1);
  EXPECT_EQ(batch->single().records[1].offset, 2);
  EXPECT_EQ(batch->single().records[0].now, clock_.wall());
  EXPECT_EQ(batch->single().positions[0], (Position{"http", 3, ""}));
  EXPECT_FALSE(batch->is_last);
}

TEST_F(IntakeQueueTest, ABatchHoldsWholeSubmissionsUpToItsBound) {
  submit({"a", "b", "c"});
  submit({"d", "e"});
  submit({"f", "g", "h", "i", "j", "k"});
  EXPECT_THAT(poll(), ElementsAre("a", "b", "c"));
  commit({kAccepted, kAccepted, kAccepted});
  EXPECT_THAT(poll(), ElementsAre("d", "e"));
  commit({kAccepted, kAccepted});
  EXPECT_THAT(poll(), ElementsAre("f", "g", "h", "i", "j", "k"));
}

TEST_F(IntakeQueueTest, WhatComesDuringACommitWaitsForTheNext) {
  submit({"a"});
  poll();
  submit({"b"});
  commit({kAccepted});
  EXPECT_THAT(answers_.texts(), ElementsAre("accepted", ""));
  EXPECT_THAT(poll(), ElementsAre("b"));
}

TEST_F(IntakeQueueTest, WhatDoesNotFitIsRefusedUntilSomethingIsCommitted) {
  submit({std::string(60, 'a')});
  submit({std::string(40, 'b')});
  submit({"c"});
  EXPECT_THAT(answers_.texts(), ElementsAre("", "", "retry_later"));
  poll();  // in flight, it still counts
  submit({"d"});
  EXPECT_EQ(answers_.text(3), "retry_later");
  commit({kAccepted, kAccepted});
  submit({"e"});
  EXPECT_EQ(answers_.text(4), "");
  EXPECT_THAT(poll(), ElementsAre("e"));
}

TEST_F(IntakeQueueTest, ASubmissionLargerThanTheBoundFitsAlone) {
  submit({std::string(1'000, 'a')});
  submit({"b"});
  EXPECT_THAT(answers_.texts(), ElementsAre("", "retry_later"));
  poll();
  commit({kAccepted});
  EXPECT_EQ(answers_.text(0), "accepted");
}

TEST_F(IntakeQueueTest, ASubmissionOfNothingIsAnsweredAndHoldsNobodyUp) {
  submit({});
  EXPECT_EQ(answers_.text(0), "nothing");
  submit({"a"});
  EXPECT_THAT(poll(), ElementsAre("a"));
}

TEST_F(IntakeQueueTest, IsClosedUntilOpened) {
  IntakeQueue queue({}, clock_);
  queue.submit(submission({"a"}), answers_.next());
  EXPECT_EQ(answers_.text(0), "retry_later");
  queue.open();
  queue.submit(submission({"a"}), answers_.next());
  EXPECT_EQ(answers_.text(1), "");
}

TEST_F(IntakeQueueTest, ClosingRefusesWhatWaitsAndWhatComesButNotWhatIsInCommit) {
  submit({"a"});
  poll();
  submit({std::string(90, 'b')});
  queue_.close(kFull);
  submit({"c"});
  EXPECT_THAT(answers_.texts(), ElementsAre("", "retry_later", "retry_later"));
  EXPECT_EQ(answers_.error(1), "the disk is full");
  EXPECT_EQ(answers_.error(2), "the disk is full");
  commit({kAccepted});
  EXPECT_EQ(answers_.text(0), "accepted");

  queue_.open();
  submit({std::string(90, 'd')});  // the room of those refused is free again
  EXPECT_EQ(answers_.text(3), "");
}

TEST_F(IntakeQueueTest, AfterAnAbortedCommitTheSameBatchIsPolledAgainAndAlone) {
  submit({"a"});
  submit({"b"});
  poll();
  submit({"c"});
  seek(0);
  EXPECT_THAT(poll(), ElementsAre("a", "b"));
  EXPECT_EQ(next_, 2);
  EXPECT_THAT(answers_.texts(), ElementsAre("", "", ""));
  commit({kAccepted, kDuplicate});
  EXPECT_THAT(answers_.texts(), ElementsAre("accepted", "duplicate", ""));
  EXPECT_THAT(poll(), ElementsAre("c"));
}

TEST_F(IntakeQueueTest, AnUnknownOutcomeThatWasACommitIsToldAsSuch) {
  submit({"a"});
  submit({"b"});
  poll();
  submit({"c"});
  seek(2);
  EXPECT_THAT(answers_.texts(), ElementsAre("unknown_outcome", "unknown_outcome", ""));
  EXPECT_THAT(poll(), ElementsAre("c"));
  EXPECT_EQ(next_, 3);
  commit({kAccepted});
  EXPECT_EQ(answers_.text(2), "accepted");
  submit({std::string(100, 'd')});  // all room is free
  EXPECT_EQ(answers_.text(3), "");
}

TEST_F(IntakeQueueTest, AnUnknownOutcomeThatWasNoneIsPolledAgain) {
  submit({"a"});
  poll();
  seek(0);
  EXPECT_THAT(answers_.texts(), ElementsAre(""));
  EXPECT_THAT(poll(), ElementsAre("a"));
}

TEST_F(IntakeQueueTest, WhoWasGivenUpIsAnsweredOnceAndStillCommitted) {
  submit({"a"});
  poll();
  queue_.give_up_polled(kFull);
  EXPECT_THAT(answers_.texts(), ElementsAre("retry_later"));
  queue_.give_up_polled(kFull);
  seek(0);
  EXPECT_THAT(poll(), ElementsAre("a"));
  commit({kAccepted});
  EXPECT_THAT(answers_.texts(), ElementsAre("retry_later"));
  submit({std::string(100, 'b')});
  EXPECT_EQ(answers_.text(1), "");
}

TEST_F(IntakeQueueTest, GoesOnBehindTheCommittedPosition) {
  seek(41);
  submit({"a"});
  const auto batch = queue_.poll();
  EXPECT_EQ(batch->single().records[0].offset, 41);
  EXPECT_EQ(batch->single().positions[0].next, 42);
}

TEST_F(IntakeQueueTest, PositionsOfOthersAreNotItsOwn) {
  EXPECT_TRUE(queue_.seek(0, std::vector<Position>{{"/var/log/events", 99, ""}}));
  submit({"a"});
  poll();
  EXPECT_EQ(next_, 1);
}

TEST_F(IntakeQueueTest, ItsEndAnswersEveryone) {
  Answers answers;
  {
    IntakeQueue queue({}, clock_);
    queue.open();
    queue.submit(submission({"a"}), answers.next());
    ASSERT_TRUE(queue.poll());
    queue.submit(submission({"b"}), answers.next());
  }
  EXPECT_THAT(answers.texts(), ElementsAre("unknown_outcome", "retry_later"));
}

TEST_F(IntakeQueueTest, AnAnswerMaySubmitAgain) {
  queue_.submit(submission({"a"}), [&](SubmissionResult result) {
    EXPECT_TRUE(result);
    submit({"b"});
  });
  poll();
  commit({kAccepted});
  EXPECT_THAT(poll(), ElementsAre("b"));
}

TEST_F(IntakeQueueTest, WaitingEndsAtOnceWhenSomethingIsThere) {
  submit({"a"});
  queue_.wait_for_submission(std::chrono::hours(1));
  EXPECT_THAT(poll(), ElementsAre("a"));
  queue_.wait_for_submission(Milliseconds{0});
}

}  // namespace
}  // namespace dwell
