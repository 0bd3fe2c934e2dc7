#include "app/store_member.h"

#include <spdlog/spdlog.h>

#include "app/kafka_options.h"
#include "app/membership.h"
#include "app/postgres_options.h"
#include "kafka/cleaned_source.h"
#include "postgres/row_writer.h"

namespace dwell {
namespace {

// Each partition that came goes on where the database has it.
Result<void> restore(CleanedSource& source, RowWriter& store,
                     std::span<const PartitionId> partitions) {
  std::vector<StorePosition> starts;
  for (const PartitionId partition : partitions) {
    auto start = source.start(partition);
    if (!start) return pass(start);
    starts.push_back(std::move(*start));
  }
  auto positions = store.positions(starts);
  if (!positions) return pass(positions);
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
  auto database = open_database(config_);
  if (!database) return pass(database);
  auto store = PostgresStore::open(std::move(*database));
  if (!store) return pass(store);
  KafkaSourceOptions options = source_options(config_, member_);
  options.topic = config_.topics.cleaned;
  options.group = config_.store_group;
  options.record_bytes = config_.limits.record_bytes;
  auto source = CleanedSource::open(kafka_options(config_), options, config_.topics.rejected);
  if (!source) return pass(source);

  RowWriter writer(std::move(*store), [this](std::chrono::nanoseconds took, bool is_stored) {
    if (is_stored) {
      metrics_.commit_took(took);
    } else {
      metrics_.commit_failed();
    }
  });
  bool is_told = false;  // that nothing keeps it from working
  while (!ends.stop_requested()) {
    const auto batch = (*source)->poll();
    if (!batch) return Failure(batch.error());
    if (!batch->gained.empty()) {
      if (auto restored = restore(**source, writer, batch->gained); !restored) return restored;
    }
    if (auto committed = writer.commit(batch->slices); !committed) return committed;
    if (!is_told && (*source)->has_joined()) {
      status_.set(task_, "");
      is_told = true;
    }
  }
  return writer.finish();
}

}  // namespace dwell
