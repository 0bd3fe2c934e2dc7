#include "app/roles/store_member.h"

#include <spdlog/spdlog.h>
#include <utility>

#include "app/process/rejoining.h"
#include "app/settings/kafka_options.h"
#include "postgres/row_writer.h"

namespace dwell {
namespace {

// Batches without a refused row before they are stored while the next is read again.
constexpr int kCarefulBatches = 100;

StoreMember::Stored stored_of(const RowBatch& batch) {
  StoreMember::Stored stored;
  for (const RowBatch::Part& part : batch.parts()) {
    stored.changes += static_cast<std::uint64_t>(part.inserts + part.retracts);
    stored.not_cleaned += static_cast<std::uint64_t>(part.rejected);
  }
  return stored;
}

// Each partition that came goes on where the database has it. `store` has positions().
Result<void> restore(CleanedSource& source, auto& store, StoreWatch& watch,
                     std::span<const PartitionId> partitions) {
  std::vector<StorePosition> starts;
  for (const PartitionId partition : partitions) {
    auto start = source.start(partition);
    if (!start) return pass(start);
    starts.push_back(std::move(*start));
  }
  std::vector<StorePosition> positions;
  auto asked = watch.ask([&]() -> Result<void> {
    auto found = store.positions(starts);
    if (!found) return may_pass(found.error());
    positions = std::move(*found);
    return {};
  });
  if (!asked) return asked;
  for (const StorePosition& position : positions) {
    if (auto sought = source.seek(position); !sought) return sought;
    spdlog::info("partition {}: stored up to offset {}", position.partition, position.next);
  }
  return {};
}

}  // namespace

StoreMember::StoreMember(const Config& config, const std::string& instance, std::size_t number,
                         Clock& clock, MemberStatus& status, Metrics& metrics, TopicGuard& topics)
    : config_(config),
      door_(config),
      member_(fmt::format("{}-{}", instance, number)),
      task_(fmt::format("store {}", number)),
      clock_(clock),
      status_(status),
      metrics_(metrics),
      topics_(topics),
      watch_(task_, status) {
  status_.set(task_, kJoining);
}

Result<void> StoreMember::run(const std::stop_token& stop) {
  return topics_.keep_joining(task_, stop, clock_, [&](const std::stop_token& ends) {
    auto done = store_once(ends);
    tell_held(0);
    return done;
  });
}

// One membership of the group, with one connection to the database.
Result<void> StoreMember::store_once(const std::stop_token& ends) {
  watch_.left();
  auto database = door_.open();
  if (!database) return pass(database);
  auto store = PostgresStore::open(std::move(*database));
  if (!store) return may_pass(store.error());
  KafkaSourceOptions options = source_options(config_, member_);
  options.topic = config_.topics.cleaned;
  options.group = config_.store_group;
  options.record_bytes = config_.limits.record_bytes;
  auto source = CleanedSource::open(kafka_options(config_), options, config_.topics.rejected);
  if (!source) return pass(source);
  if (is_careful_) {
    if (auto stored = store_carefully(**source, **store, ends); !stored) return stored;
    if (ends.stop_requested()) return {};
  }
  return store_ahead(**source, std::move(*store), ends);
}

// One batch is stored while the next is read.
Result<void> StoreMember::store_ahead(CleanedSource& source, std::unique_ptr<PostgresStore> store,
                                      const std::stop_token& ends) {
  RowWriter writer(std::move(store), [this](const RowBatch& batch, const RowWriter::Commit& work) {
    return commit(stored_of(batch), work);
  });
  // A row that is refused is found by reading the batch once more.
  const auto failed = [this](Error error) {
    is_careful_ = error.kind == ErrorKind::fatal;
    return may_pass(std::move(error));
  };
  while (!ends.stop_requested()) {
    const auto batch = source.poll();
    if (!batch) return Failure(batch.error());
    if (!batch->gained.empty()) {
      if (auto finished = writer.finish(); !finished) return failed(finished.error());
      auto restored = restore(source, writer, watch_, batch->gained);
      if (!restored) return restored;
    }
    if (auto committed = writer.commit(batch->slices); !committed) return failed(committed.error());
    tell_held(source.partition_count());
    if (source.has_joined()) watch_.joined(source.is_at_end() && writer.is_done());
  }
  if (auto finished = writer.finish(); !finished) return failed(finished.error());
  return {};
}

Result<void> StoreMember::commit(const Stored& stored, const StoreWatch::Work& work) {
  return watch_.commit([&] {
    const auto start = clock_.monotonic();
    auto committed = work();
    if (committed) {
      metrics_.commit_took(clock_.monotonic() - start);
      metrics_.stored(stored.changes, stored.not_cleaned);
    } else {
      metrics_.commit_failed();
    }
    return committed;
  });
}

void StoreMember::tell_held(std::size_t partitions) {
  if (std::exchange(held_, partitions) != partitions) metrics_.holds(task_, partitions, 0);
}

// Each batch alone, without the rows that the database refuses.
Result<void> StoreMember::store_carefully(CleanedSource& source, PostgresStore& store,
                                          const std::stop_token& ends) {
  const auto commit = [&](const RowSlice& slice) {
    return this->commit({slice.changes.size(), slice.rejected}, [&] {
      return store.commit({&slice, 1});
    });
  };
  for (int left = kCarefulBatches; left > 0 && !ends.stop_requested();) {
    const auto batch = source.poll();
    if (!batch) return Failure(batch.error());
    if (!batch->gained.empty()) {
      auto restored = restore(source, store, watch_, batch->gained);
      if (!restored) return restored;
    }
    if (!batch->slices.empty()) {
      const auto refused = source.commit_apart(commit);
      if (!refused) return Failure(refused.error());
      left = *refused > 0 ? kCarefulBatches : left - 1;
      if (*refused > 0) {
        spdlog::warn("{}: the database refused {} rows, which went to topic {}", task_, *refused,
                     config_.topics.rejected);
      }
    }
    tell_held(source.partition_count());
    if (source.has_joined()) watch_.joined(source.is_at_end());
  }
  is_careful_ = ends.stop_requested();
  return {};
}

}  // namespace dwell
