#include "tests/contract/store_under_test.h"

#include <filesystem>

#include "sqlite/sqlite_committer.h"
#include "sqlite/sqlite_report.h"
#include "sqlite/sqlite_row_reader.h"
#include "tests/fakes/faulty_vfs.h"
#include "tests/fakes/memory_report.h"
#include "tests/fakes/memory_row_reader.h"
#include "tests/fakes/one_partition.h"
#include "tests/fakes/temp_folder.h"

namespace dwell {
namespace {

constexpr std::size_t kForGood = 1'000'000;  // a trouble that stays until disarmed

template <typename Base, typename Derived>
Result<std::unique_ptr<Base>> upcast(Result<std::unique_ptr<Derived>> opened) {
  if (!opened) return pass(opened);
  return std::unique_ptr<Base>(std::move(*opened));
}

class MemoryStoreUnderTest final : public StoreUnderTest {
 public:
  MemoryStoreUnderTest() = default;
  explicit MemoryStoreUnderTest(const MemoryStore& left_behind) : store_(left_behind) {
    store_.is_open = false;
    disarm();
  }

  Result<std::unique_ptr<Committer>> open(Order order, const RejectBounds& bounds) override {
    return upcast<Committer>(MemoryCommitter::open(store_, order, bounds));
  }
  Result<std::unique_ptr<RowReader>> open_reader() override {
    return std::unique_ptr<RowReader>(std::make_unique<MemoryRowReader>(store_));
  }
  Result<std::unique_ptr<StoreReport>> open_report() override {
    return std::unique_ptr<StoreReport>(std::make_unique<MemoryReport>(store_));
  }
  std::unique_ptr<StoreUnderTest> crashed_copy() const override {
    return std::make_unique<MemoryStoreUnderTest>(store_);
  }

  std::vector<std::string> troubles() const override {
    return {"try later", "aborted", "fatal", "unknown, not happened", "unknown, happened"};
  }
  void arm(std::size_t trouble, std::size_t at) override {
    const Fault faults[] = {{at, ErrorKind::retry_later},
                            {at, ErrorKind::aborted},
                            {at, ErrorKind::fatal},
                            {at, ErrorKind::unknown_outcome, 1, false},
                            {at, ErrorKind::unknown_outcome, 1, true}};
    store_.commits.set(faults[trouble]);
  }
  void disarm() override { store_.commits.clear(); }
  bool was_reached() const override { return store_.commits.was_reached(); }

 private:
  MemoryStore store_;
};

class SqliteStoreUnderTest final : public StoreUnderTest {
 public:
  SqliteStoreUnderTest() = default;
  // Takes the file and its log, but not the shared memory, which dies with the machine.
  explicit SqliteStoreUnderTest(const std::string& left_behind) {
    for (const char* suffix : {"", "-wal"}) {
      if (std::filesystem::exists(left_behind + suffix)) {
        std::filesystem::copy_file(left_behind + suffix, path() + suffix);
      }
    }
  }

  Result<std::unique_ptr<Committer>> open(Order order, const RejectBounds& bounds) override {
    SqliteCommitterOptions options;
    options.database.vfs = vfs_.name();
    options.database.cache_bytes = 16 << 10;  // so small that a commit reads, and writes early
    options.rejects_max_age = bounds.max_age;
    options.rejects_max_bytes = bounds.max_bytes;
    return upcast<Committer>(SqliteCommitter::open(path(), order, options));
  }
  Result<std::unique_ptr<RowReader>> open_reader() override {
    return upcast<RowReader>(SqliteRowReader::open(path()));
  }
  Result<std::unique_ptr<StoreReport>> open_report() override {
    return upcast<StoreReport>(SqliteReport::open(path()));
  }
  std::unique_ptr<StoreUnderTest> crashed_copy() const override {
    return std::make_unique<SqliteStoreUnderTest>(path());
  }

  std::vector<std::string> troubles() const override {
    return {"disk full", "write errors", "sync errors", "read errors"};
  }
  void arm(std::size_t trouble, std::size_t at) override {
    const int codes[] = {SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC, SQLITE_IOERR_READ};
    vfs_.arm({codes[trouble], at, kForGood});
  }
  void disarm() override { vfs_.disarm(); }
  bool was_reached() const override { return vfs_.was_reached(); }

 private:
  std::string path() const { return folder_.file("dwell.db"); }

  TempFolder folder_;
  FaultyVfs vfs_;
};

template <typename Store>
std::unique_ptr<StoreUnderTest> make() {
  return std::make_unique<Store>();
}

template <typename T>
Lines line_of(const Result<T>& failed) {
  return {std::string(name(failed.error().kind)) + ": " + failed.error().message};
}

}  // namespace

StoreKind memory_store() {
  return {"memory", make<MemoryStoreUnderTest>};
}

StoreKind sqlite_store() {
  return {"sqlite", make<SqliteStoreUnderTest>};
}

Lines restored_lines(StoreUnderTest& store, const Rule& rule) {
  auto committer = store.open(rule.order);
  if (!committer) return line_of(committer);
  Fold fold(rule, 1);
  const auto positions = restore_one(**committer, fold);
  if (!positions) return line_of(positions);
  Lines lines = lines_of(fold, *positions);
  auto reader = store.open_reader();
  if (!reader) return line_of(reader);
  auto report = store.open_report();
  if (!report) return line_of(report);
  const Lines more = lines_of(**reader, **report, devices_of(fold));
  lines.insert(lines.end(), more.begin(), more.end());
  return lines;
}

}  // namespace dwell
