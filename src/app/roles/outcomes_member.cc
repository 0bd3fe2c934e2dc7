#include "app/roles/outcomes_member.h"

#include <limits>
#include <map>
#include <spdlog/spdlog.h>

#include "app/process/rejoining.h"
#include "app/settings/kafka_options.h"
#include "kafka/client/kafka_source.h"
#include "kafka/flow/marker.h"
#include "postgres/device_store.h"

namespace dwell {
namespace {

constexpr const char* kTask = "devices";
constexpr std::chrono::milliseconds kPatience{5'000};  // for an answer of the brokers

// Outcomes of the devices from one batch of states to the next.
class DeviceReader {
 public:
  DeviceReader(KafkaSource& source, std::string cluster, bool from_start, MemberStatus& status,
               StoreWatch& watch)
      : source_(source),
        cluster_(std::move(cluster)),
        from_start_(from_start),
        status_(status),
        watch_(watch) {}

  // Goes on where the store is, or from the start where the topic is another one: the last state of
  // each device is always there.
  Result<void> restore(DeviceStore& store, std::span<const PartitionId> partitions) {
    const std::string& topic = source_.options().topic;
    for (const PartitionId partition : partitions) {
      const auto offsets = source_.client().offsets(topic, partition, kPatience);
      if (!offsets) return Failure(offsets.error());
      const StorePosition start{partition, cluster_, topic, offsets->low};
      StorePosition position;
      auto asked = watch_.ask([&]() -> Result<void> {
        const auto stored = store.positions({&start, 1});
        if (!stored) return may_pass(stored.error());
        position = stored->front();
        return {};
      });
      if (!asked) return asked;
      const bool fits = !from_start_ && position.cluster == cluster_ &&
                        position.next >= offsets->low && position.next <= offsets->high;
      if (!fits) position = start;
      auto sought = source_.seek(partition, {{{input_name(topic, partition), position.next, ""}}});
      if (!sought) return sought;
      positions_[partition] = position;
    }
    return {};
  }

  // Valid until the next one.
  std::span<const DeviceSlice> decode(const Batch& batch) {
    slices_.clear();
    for (const Slice& slice : batch.slices) {
      auto& devices = devices_[slice.partition];
      devices.clear();
      for (const Record& record : slice.records) {
        if (record.key == kMarkerKey) continue;
        auto outcomes = decode_summary(record.bytes);
        if (outcomes) {
          devices.push_back({record.key, *outcomes});
        } else {
          status_.tell_foreign(fmt::format("{} offset {}: {}; passed over",
                                           input_name(source_.options().topic, slice.partition),
                                           record.offset, outcomes.error().message));
        }
      }
      StorePosition& position = positions_.at(slice.partition);
      position.next = slice.positions[0].next;
      slices_.push_back({devices, position});
    }
    return slices_;
  }

 private:
  KafkaSource& source_;
  std::string cluster_;
  bool from_start_;
  MemberStatus& status_;
  StoreWatch& watch_;
  std::map<PartitionId, StorePosition> positions_;
  std::map<PartitionId, std::vector<DeviceOutcomes>> devices_;
  std::vector<DeviceSlice> slices_;
};

}  // namespace

DeviceMember::DeviceMember(const Config& config, std::string instance, Clock& clock,
                           MemberStatus& status, TopicGuard& topics)
    : config_(config),
      door_(config),
      member_(std::move(instance)),
      clock_(clock),
      status_(status),
      topics_(topics),
      watch_(kTask, status) {
  status_.set(kTask, kJoining);
}

Result<void> DeviceMember::run(const std::stop_token& stop) {
  bool from_start = false;
  return topics_.keep_joining(kTask, stop, clock_, [&](const std::stop_token& ends) {
    auto done = store_once(from_start, ends);
    // Offsets do not tell whether a topic that changed is still the one that was read.
    from_start |= ends.stop_requested();
    return done;
  });
}

// One membership of the group, with one connection to the database.
Result<void> DeviceMember::store_once(bool from_start, const std::stop_token& ends) {
  watch_.left();
  auto database = door_.open();
  if (!database) return pass(database);
  auto store = DeviceStore::open(std::move(*database));
  if (!store) return may_pass(store.error());
  KafkaSourceOptions options = source_options(config_, member_);
  options.topic = config_.topics.state;
  options.group = config_.store_group + "-devices";
  options.tells_ends = true;
  options.record_bytes = std::numeric_limits<std::size_t>::max();
  auto source = KafkaSource::open(kafka_options(config_), options);
  if (!source) return pass(source);
  auto cluster = (*source)->client().cluster_id(kPatience);
  if (!cluster) return pass(cluster);

  DeviceReader reader(**source, std::move(*cluster), from_start, status_, watch_);
  while (!ends.stop_requested()) {
    const auto batch = (*source)->poll();
    if (!batch) return Failure(batch.error());
    if (!batch->gained.empty()) {
      if (auto restored = reader.restore(**store, batch->gained); !restored) return restored;
    }
    if (const auto slices = reader.decode(*batch); !slices.empty()) {
      auto stored = watch_.commit([&] { return (*store)->commit(slices); });
      if (!stored) return may_pass(stored.error());
      for (const std::string& what : (*store)->refused()) {
        spdlog::warn("topic {}: {}; the device is left out", config_.topics.state, what);
      }
    }
    if ((*source)->has_joined()) watch_.joined((*source)->is_at_end());
  }
  return {};
}

}  // namespace dwell
