// The stores that the contract of readers runs on here: PostgreSQL beside the others.
#include "postgres/device_store.h"
#include "postgres/migrations.h"
#include "postgres/postgres_row_reader.h"
#include "postgres/postgres_store.h"
#include "tests/contract/store_under_test.h"
#include "tests/postgres/test_database.h"

namespace dwell {
namespace {

// States and positions in memory, the changes of rows and the outcomes of devices as the store gets
// them from topics.
class RowCommitter final : public Committer {
 public:
  RowCommitter(std::unique_ptr<MemoryCommitter> states, std::unique_ptr<PostgresStore> rows,
               std::unique_ptr<DeviceStore> devices)
      : states_(std::move(states)), rows_(std::move(rows)), devices_(std::move(devices)) {}

  Result<void> restore(std::span<Partition> partitions) override {
    const std::vector<StorePosition> starts{{0, "cluster", "cleaned", 0}};
    auto positions = rows_->positions(starts);
    if (!positions) return pass(positions);
    next_ = positions->front().next;
    const std::vector<StorePosition> state_starts{{0, "cluster", "state", 0}};
    auto state_positions = devices_->positions(state_starts);
    if (!state_positions) return pass(state_positions);
    next_state_ = state_positions->front().next;
    return states_->restore(partitions);
  }

  Result<void> commit(std::span<const Partition> partitions) override {
    auto committed = states_->commit(partitions);
    if (!committed) return committed;
    for (const Partition& partition : partitions) {
      if (!partition.unit) continue;
      std::vector<RowChange> changes;
      for (const CleanedRecord& record : partition.unit->changes) {
        const Change& change = record.change;
        changes.push_back({partition.fold.device_id(record.device), change.timestamp, change.type,
                           change.operation, change.rank, change.seq});
      }
      next_ += static_cast<Offset>(changes.size()) + 1;
      const RowSlice slice{changes, 0, {0, "cluster", "cleaned", next_}};
      if (auto stored = rows_->commit({&slice, 1}); !stored) return stored;
      if (auto stored = commit_devices(partition); !stored) return stored;
    }
    return {};
  }

 private:
  Result<void> commit_devices(const Partition& partition) {
    std::vector<DeviceOutcomes> devices;
    for (const DeviceIndex device : partition.unit->touched) {
      std::string record;
      partition.fold.encode_state(device, record);
      devices.push_back({partition.fold.device_id(device), decode_summary(record).value()});
    }
    next_state_ += static_cast<Offset>(devices.size());
    const DeviceSlice slice{devices, {0, "cluster", "state", next_state_}};
    return devices_->commit({&slice, 1});
  }

  std::unique_ptr<MemoryCommitter> states_;
  std::unique_ptr<PostgresStore> rows_;
  std::unique_ptr<DeviceStore> devices_;
  Offset next_ = 0;
  Offset next_state_ = 0;
};

class PostgresUnderTest final : public StoreUnderTest {
 public:
  PostgresUnderTest() {
    auto database = connect();
    EXPECT_TRUE(migrate(*database, 0));
    EXPECT_TRUE(migrate(*database));
  }

  Result<std::unique_ptr<Committer>> open(Order order, const RejectBounds& bounds) override {
    auto states = MemoryCommitter::open(memory_, order, bounds);
    if (!states) return pass(states);
    auto rows = PostgresStore::open(connect());
    if (!rows) return pass(rows);
    auto devices = DeviceStore::open(connect());
    if (!devices) return pass(devices);
    return std::unique_ptr<Committer>(
        std::make_unique<RowCommitter>(std::move(*states), std::move(*rows), std::move(*devices)));
  }
  Result<std::unique_ptr<RowReader>> open_reader() override {
    PgPoolOptions options;
    options.database = test_database();
    options.connections = test_connections();
    return std::unique_ptr<RowReader>(
        std::make_unique<PostgresRowReader>(context(), std::move(options), "cleaned"));
  }
  Result<std::unique_ptr<StoreReport>> open_report() override {
    return fail(ErrorKind::invalid, "rejected records and totals are in topics");
  }

  // What can go wrong is made to go wrong from outside: tests/chaos/test_store_chaos.py.
  std::unique_ptr<StoreUnderTest> crashed_copy() const override { return nullptr; }
  std::vector<std::string> troubles() const override { return {}; }
  void arm(std::size_t, std::size_t) override {}
  void disarm() override {}
  bool was_reached() const override { return false; }

 private:
  MemoryStore memory_;
};

std::unique_ptr<StoreUnderTest> make() {
  return std::make_unique<PostgresUnderTest>();
}

}  // namespace

std::vector<StoreKind> all_stores() {
  return {memory_store(), sqlite_store(), {"postgres", make}};
}

}  // namespace dwell
