#include "app/roles/read_your_writes.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "app/settings/kafka_options.h"
#include "base/on_worker.h"
#include "kafka/topics/topic_plan.h"

namespace dwell {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds kPatience{5'000};
constexpr std::chrono::milliseconds kFirstPause{2};
constexpr std::chrono::milliseconds kLongestPause{50};
constexpr std::chrono::milliseconds kAskAgain{1'000};
constexpr std::size_t kMostWaiting = 1'000;

std::vector<PartitionId> partitions_of(const PartitionOffsets& offsets) {
  std::vector<PartitionId> partitions;
  for (const auto& [partition, offset] : offsets) partitions.push_back(partition);
  return partitions;
}

std::vector<PartitionId> all_partitions(int count) {
  std::vector<PartitionId> partitions;
  for (PartitionId partition = 0; partition < count; ++partition) partitions.push_back(partition);
  return partitions;
}

PartitionId last_partition(const std::vector<InputPlace>& places) {
  PartitionId last = 0;
  for (const InputPlace& place : places) last = std::max(last, place.partition);
  return last;
}

// The first partition that is not there yet.
PartitionOffsets::const_iterator first_behind(const PartitionOffsets& goals,
                                              const PartitionOffsets& found) {
  return std::find_if(goals.begin(), goals.end(), [&](const auto& goal) {
    const auto known = found.find(goal.first);
    return goal.second > (known == found.end() ? 0 : known->second);
  });
}

}  // namespace

ReadYourWrites::ReadYourWrites(asio::io_context& context, const Config& config,
                               PostgresRowReader& reader)
    : context_(context), config_(config), reader_(reader), progress_(kafka_options(config)) {}

asio::awaitable<Result<void>> ReadYourWrites::wait_for(const std::vector<InputPlace>& places) {
  struct Count {
    explicit Count(std::size_t& number) : number(++number) {}
    ~Count() { --number; }
    std::size_t& number;
  } count(waiting_);
  if (waiting_ > kMostWaiting) {
    co_return fail(ErrorKind::retry_later, "too many wait for what they have posted");
  }
  co_return co_await follow(places);
}

asio::awaitable<Result<void>> ReadYourWrites::follow(const std::vector<InputPlace>& places) {
  const auto deadline = Clock::now() + kPatience;
  const auto& topics = config_.topics;
  const auto count = co_await input_partitions(last_partition(places));
  if (!count) co_return pass(count);
  PartitionOffsets goals;
  for (const auto& [partition, offset] : places) {
    if (partition >= *count) {
      co_return fail(ErrorKind::invalid, "after: topic {} has no partition {}", topics.input,
                     partition);
    }
    auto& goal = goals[partition];
    goal = std::max(goal, offset + 1);
  }
  if (has_hop(config_.partitioned_by, *count)) {
    auto copied = co_await reach_commits(config_.group + "-key", topics.input, goals, deadline);
    if (!copied) co_return copied;
    // A record's device decides where it goes, which its place here does not tell.
    auto ends = co_await on_worker(worker_, [&]() -> Result<PartitionOffsets> {
      const auto partitions = progress_.partition_count(topics.keyed);
      if (!partitions) return pass(partitions);
      return progress_.ends(topics.keyed, all_partitions(*partitions));
    });
    if (!ends) co_return pass(ends);
    goals = std::move(*ends);
    auto cleaned = co_await reach_commits(config_.group, topics.keyed, goals, deadline);
    if (!cleaned) co_return cleaned;
  } else {
    auto cleaned = co_await reach_commits(config_.group, topics.input, goals, deadline);
    if (!cleaned) co_return cleaned;
  }
  auto ends = co_await on_worker(
      worker_, [&] { return progress_.ends(topics.cleaned, partitions_of(goals)); });
  if (!ends) co_return pass(ends);
  co_return co_await reach(*ends, "stored", deadline, [&]() { return reader_.stored_up_to(); });
}

asio::awaitable<Result<int>> ReadYourWrites::input_partitions(PartitionId last_named) {
  if (last_named >= input_partitions_ || Clock::now() - asked_at_ > kAskAgain) {
    const auto count = co_await on_worker(
        worker_, [&] { return progress_.partition_count(config_.topics.input); });
    if (!count) co_return count;
    input_partitions_ = *count;
    asked_at_ = Clock::now();
  }
  co_return input_partitions_;
}

asio::awaitable<Result<void>> ReadYourWrites::reach_commits(const std::string& group,
                                                            const std::string& topic,
                                                            const PartitionOffsets& goals,
                                                            Clock::time_point deadline) {
  const auto partitions = partitions_of(goals);
  const auto what = fmt::format("committed by group {}", group);
  co_return co_await reach(goals, what, deadline, [&]() {
    return on_worker(worker_, [&] { return progress_.committed(group, topic, partitions); });
  });
}

template <typename Ask>
asio::awaitable<Result<void>> ReadYourWrites::reach(const PartitionOffsets& goals,
                                                    std::string_view what,
                                                    Clock::time_point deadline, Ask ask) {
  asio::steady_timer timer(context_);
  for (auto pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    const Result<PartitionOffsets> found = co_await ask();
    if (!found) co_return pass(found);
    const auto behind = first_behind(goals, *found);
    if (behind == goals.end()) co_return Result<void>();
    if (Clock::now() + pause > deadline) {
      co_return fail(
          ErrorKind::retry_later,
          "partition {} was not {} up to offset {} in time; what was posted is safe, and "
          "will show",
          behind->first, what, behind->second);
    }
    timer.expires_after(pause);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

}  // namespace dwell
