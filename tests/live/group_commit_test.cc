// Submitters on threads of their own, while the pipeline commits what they submit.
#include <future>
#include <gmock/gmock.h>
#include <thread>

#include "live/live_source.h"
#include "live/queue_observer.h"
#include "pipeline/pipeline.h"
#include "sqlite/sqlite_committer.h"
#include "sqlite/sqlite_row_reader.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/memory_committer.h"
#include "tests/fakes/memory_row_reader.h"
#include "tests/fakes/questions.h"
#include "tests/fakes/scripted_source.h"
#include "tests/fakes/temp_folder.h"
#include "tests/live/answers.h"

namespace dwell {
namespace {

using ::testing::Each;

constexpr int kSubmitters = 4;
constexpr int kSubmissions = 25;  // of each
constexpr int kRecords = 4;       // of a submission; as many as a device's window of duplicates

std::string device_of(int submitter) {
  return "cam-" + std::to_string(submitter);
}

Submission events_of(int submitter, int number) {
  std::vector<std::string> records;
  for (int i = 0; i < kRecords; ++i) {
    const int n = number * kRecords + i;
    const auto type = n % 2 == 0 ? EventType::enter : EventType::exit;
    records.push_back(event_record(device_of(submitter), type, 1'000 + n, 0).bytes);
  }
  return submission(records);
}

// Sends one submission until it is taken; its outcomes.
std::vector<Outcome> send(Intake& intake, int submitter, int number) {
  for (;;) {
    const auto promise = std::make_shared<std::promise<SubmissionResult>>();
    auto answer = promise->get_future();
    intake.submit(events_of(submitter, number),
                  [promise](SubmissionResult result) { promise->set_value(std::move(result)); });
    auto result = answer.get();
    if (result) return result->outcomes;
    std::this_thread::yield();
  }
}

// As the embedded service has them.
class BothObservers final : public Observer {
 public:
  explicit BothObservers(IntakeQueue& queue) : opener_(queue), answers_(queue) {}

  void observe(const Observation& observation) override {
    opener_.observe(observation);
    answers_.observe(observation);
  }

 private:
  QueueOpener opener_;
  QueueObserver answers_;
};

// Runs the pipeline over what the submitters send; all their outcomes.
std::vector<Outcome> run_with_submitters(Committer& committer) {
  FakeClock clock;
  IntakeQueue queue({}, clock);
  LiveSource source(nullptr, queue, Milliseconds{1});
  BothObservers forwarder(queue);
  PipelineOptions options;
  options.give_up_after = std::chrono::hours(24);
  Pipeline pipeline(committer, clock, forwarder, options);
  std::jthread worker([&](std::stop_token stop) {
    ASSERT_TRUE(pipeline.restore());
    queue.open();
    const auto ran = pipeline.run(source, stop);
    EXPECT_TRUE(ran) << ran.error().message;
  });

  std::vector<std::future<std::vector<Outcome>>> submitters;
  for (int submitter = 0; submitter < kSubmitters; ++submitter) {
    submitters.push_back(std::async(std::launch::async, [&queue, submitter] {
      std::vector<Outcome> all;
      for (int number = 0; number < kSubmissions; ++number) {
        const auto outcomes = send(queue, submitter, number);
        all.insert(all.end(), outcomes.begin(), outcomes.end());
      }
      return all;
    }));
  }
  std::vector<Outcome> all;
  for (auto& submitter : submitters) {
    const auto outcomes = submitter.get();
    all.insert(all.end(), outcomes.begin(), outcomes.end());
  }
  return all;
}

// Every event of every submitter is a row, once and in order.
void expect_all_rows(RowReader& reader) {
  boost::asio::io_context context(1);
  Questions questions(context, reader);
  for (int submitter = 0; submitter < kSubmitters; ++submitter) {
    TimelineQuery query;
    query.device = device_of(submitter);
    const auto rows = questions.timeline(query);
    ASSERT_TRUE(rows);
    ASSERT_EQ(rows->size(), static_cast<std::size_t>(kSubmissions * kRecords));
    for (std::size_t i = 0; i < rows->size(); ++i) {
      EXPECT_EQ(to_ms((*rows)[i].timestamp), 1'000 + static_cast<std::int64_t>(i));
    }
  }
}

TEST(GroupCommit, EachSubmitterGetsItsOutcomesFromTheFile) {
  const TempFolder folder;
  const auto path = folder.file("dwell.db");
  auto committer = SqliteCommitter::open(path, Order::arrival, {});
  ASSERT_TRUE(committer) << committer.error().message;
  const auto outcomes = run_with_submitters(**committer);
  EXPECT_EQ(outcomes.size(), static_cast<std::size_t>(kSubmitters * kSubmissions * kRecords));
  EXPECT_THAT(outcomes, Each(Outcome::accepted));

  auto reader = SqliteRowReader::open(path);
  ASSERT_TRUE(reader) << reader.error().message;
  expect_all_rows(**reader);
}

TEST(GroupCommit, NothingIsLostOrDoubledWhenCommitsFail) {
  for (const auto kind : {ErrorKind::retry_later, ErrorKind::aborted, ErrorKind::unknown_outcome}) {
    for (const bool happened : {false, true}) {
      if (happened && kind != ErrorKind::unknown_outcome) continue;
      MemoryStore store;
      store.commits.set({3, kind, 5, happened});
      auto committer = MemoryCommitter::open(store, Order::arrival);
      ASSERT_TRUE(committer);
      const auto outcomes = run_with_submitters(**committer);
      EXPECT_EQ(outcomes.size(), static_cast<std::size_t>(kSubmitters * kSubmissions * kRecords));
      MemoryRowReader reader(store);
      expect_all_rows(reader);
    }
  }
}

}  // namespace
}  // namespace dwell
