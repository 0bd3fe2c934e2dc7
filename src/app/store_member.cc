#include "app/store_member.h"

#include <spdlog/spdlog.h>

#include "app/kafka_options.h"
#include "app/membership.h"
#include "postgres/row_writer.h"

namespace dwell {
namespace {

// Batches without a refused row before they are stored while the next is read again.
constexpr int kCarefulBatches = 100;

// Each partition that came goes on where the database has it. `store` has positions().
Result<void> restore(CleanedSource& source, auto& store, std::span<const PartitionId> partitions) {
  std::vector<StorePosition> starts;
  for (const PartitionId partition : partitions) {
    auto start = source.start(partition);
    if (!start) return pass(start);
    starts.push_back(std::move(*start));
  }
  auto positions = store.positions(starts);
  if (!positions) return may_pass(positions.error());
  for (const StorePosition& position : *positions) {
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
      topics_(topics) {
  status_.set(task_, kJoining);
}

Result<void> StoreMember::run(const std::stop_token& stop) {
  return topics_.keep_joining(task_, stop, clock_,
                              [&](const std::stop_token& ends) { return store_once(ends); });
}

// One membership of the group, with one connection to the database.
Result<void> StoreMember::store_once(const std::stop_token& ends) {
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
  is_told_ = false;
  if (is_careful_) {
    if (auto stored = store_carefully(**source, **store, ends); !stored) return stored;
    if (ends.stop_requested()) return {};
  }
  return store_ahead(**source, std::move(*store), ends);
}

// One batch is stored while the next is read.
Result<void> StoreMember::store_ahead(CleanedSource& source, std::unique_ptr<PostgresStore> store,
                                      const std::stop_token& ends) {
  RowWriter writer(std::move(store), [this](std::chrono::nanoseconds took, bool is_stored) {
    if (is_stored) {
      metrics_.commit_took(took);
    } else {
      metrics_.commit_failed();
    }
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
      if (auto restored = restore(source, writer, batch->gained); !restored) return restored;
    }
    if (auto committed = writer.commit(batch->slices); !committed) return failed(committed.error());
    tell_joined(source);
  }
  if (auto finished = writer.finish(); !finished) return failed(finished.error());
  return {};
}

// Each batch alone, without the rows that the database refuses.
Result<void> StoreMember::store_carefully(CleanedSource& source, PostgresStore& store,
                                          const std::stop_token& ends) {
  const auto commit = [&](const RowSlice& slice) { return store.commit({&slice, 1}); };
  for (int left = kCarefulBatches; left > 0 && !ends.stop_requested();) {
    const auto batch = source.poll();
    if (!batch) return Failure(batch.error());
    if (!batch->gained.empty()) {
      if (auto restored = restore(source, store, batch->gained); !restored) return restored;
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
    tell_joined(source);
  }
  is_careful_ = ends.stop_requested();
  return {};
}

// That nothing keeps it from working.
void StoreMember::tell_joined(const CleanedSource& source) {
  if (is_told_ || !source.has_joined()) return;
  status_.set(task_, "");
  is_told_ = true;
}

}  // namespace dwell
