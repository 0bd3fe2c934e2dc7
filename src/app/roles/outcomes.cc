#include <limits>
#include <memory>
#include <spdlog/spdlog.h>

#include "app/process/database_door.h"
#include "app/process/observers.h"
#include "app/process/rejoining.h"
#include "app/process/store_watch.h"
#include "app/roles/process_roles.h"
#include "app/roles/restored_positions.h"
#include "app/settings/kafka_options.h"
#include "kafka/flow/outcome_reader.h"
#include "pipeline/runner.h"
#include "postgres/device_store.h"

namespace dwell {
namespace {

constexpr const char* kDevices = "devices";

// Keeps in the database what became of each device's events, as the state topic has it.
class OutcomesStage final : public Stage {
 public:
  // Borrows the watch and the store.
  OutcomesStage(OutcomeReader reader, DeviceStore& store, StoreWatch& watch, Clock& clock)
      : reader_(std::move(reader)), store_(store), watch_(watch), clock_(clock) {}

  Result<Ready> restore(std::span<const PartitionId> partitions) override {
    auto positions = restored_positions(reader_, store_, watch_, partitions);
    if (!positions) return pass(positions);
    positions_ = std::move(*positions);
    return Ready{};
  }

  Result<void> seek(Source& /*source*/, std::span<const PartitionId> /*partitions*/) override {
    for (const StorePosition& position : positions_) {
      if (auto sought = reader_.seek(position); !sought) return sought;
    }
    return {};
  }

  Result<void> take(const Batch& batch) override {
    slices_ = reader_.decode(batch);
    return {};
  }

  Result<Committed> commit() override {
    if (slices_.empty()) return Committed{};
    const auto start = clock_.monotonic();
    auto stored = watch_.commit([&] { return store_.commit(slices_); });
    if (!stored) return may_pass(stored.error());
    for (const std::string& what : store_.refused()) {
      spdlog::warn("{}: {}; the device is left out", slices_[0].position.topic, what);
    }
    Committed committed;
    committed.has_batch = true;
    committed.took = clock_.monotonic() - start;
    for (const DeviceSlice& slice : slices_) committed.changes += slice.devices.size();
    return committed;
  }

 private:
  OutcomeReader reader_;
  DeviceStore& store_;
  StoreWatch& watch_;
  Clock& clock_;
  std::vector<StorePosition> positions_;  // of the partitions restored last
  std::span<const DeviceSlice> slices_;
};

// One of the group that reads the state topic.
class OutcomesMember {
 public:
  OutcomesMember(Process& process, std::string instance)
      : process_(process),
        config_(process.config()),
        door_(config_),
        instance_(std::move(instance)),
        watch_(kDevices, process.board()) {
    process.board().set(kDevices, kJoining);
  }

  Result<void> run(const std::stop_token& stop) {
    bool from_start = false;
    return process_.topics().keep_joining(kDevices, stop, [&](const std::stop_token& ends) {
      auto done = run_once(from_start, ends);
      // Offsets do not tell whether a topic that changed is still the one that was read.
      from_start |= ends.stop_requested();
      return done;
    });
  }

 private:
  // One membership of the group, with one connection to the database. `from_start` of the topic,
  // all is met once more; else it goes on where the database is.
  Result<void> run_once(bool from_start, const std::stop_token& ends) {
    watch_.left();
    auto database = door_.open();
    if (!database) return pass(database);
    auto store = DeviceStore::open(std::move(*database));
    if (!store) return may_pass(store.error());
    KafkaSourceOptions options = source_options(config_, instance_);
    options.topic = config_.topics.state;
    options.group = config_.store_group + "-devices";
    options.commits_ends = true;
    options.record_bytes = std::numeric_limits<std::size_t>::max();
    auto source = KafkaSource::open(kafka_options(config_), options);
    if (!source) return pass(source);
    auto reader = OutcomeReader::open(**source, from_start, [this](const std::string& what) {
      process_.board().tell_foreign(what);
    });
    if (!reader) return pass(reader);

    OutcomesStage stage(std::move(*reader), **store, watch_, process_.clock());
    LagObserver lags(process_.metrics(), process_.board(), process_.clock(), (*source)->client(),
                     {kDevices, options.topic, config_.stalled_after});
    MetricsObserver counts(process_.metrics(), StageName::devices, process_.clock());
    LogObserver log(kDevices);
    Observers observers({&counts, &lags, &watch_, &log});
    return Runner(stage, process_.clock(), observers, joining_again()).run(**source, ends);
  }

  Process& process_;
  const Config& config_;
  DatabaseDoor door_;
  std::string instance_;
  StoreWatch watch_;
};

}  // namespace

void add_outcomes(Process& process, const std::string& instance) {
  const auto member = std::make_shared<OutcomesMember>(process, instance);
  process.add(kDevices, [member](const std::stop_token& stop) { return member->run(stop); });
}

}  // namespace dwell
