#include "tests/fakes/memory_row_reader.h"

#include <algorithm>
#include <map>

#include "base/check.h"

namespace dwell {
namespace {

namespace asio = boost::asio;

// The rows of a device that a scan asks for, all at once: carried ones first.
struct Found {
  std::vector<Row> carried, others;
};

Found find(const Scan& scan, const std::vector<Row>& rows) {
  Found found;
  for (const Row& row : rows) {
    if (row.timestamp < scan.start) found.carried.insert(found.carried.begin(), row);
    if (row.timestamp >= scan.start && row.timestamp <= scan.end) found.others.push_back(row);
  }
  found.carried.resize(std::min(found.carried.size(), scan.carry), Row());
  if (scan.order == RowOrder::descending) std::reverse(found.others.begin(), found.others.end());
  return found;
}

void read(const MemoryStore& store, const Scan& scan, ScanPage& page) {
  CHECK(scan.limit > scan.carry && scan.limit <= kLargestPage);
  page.clear();
  std::map<std::string, const std::vector<Row>*> devices;
  for (const auto& device : store.devices) devices[device.id] = &device.rows;
  for (const auto& [id, rows] : devices) {
    const bool is_asked_for = id >= scan.devices.first && id <= scan.devices.last.value_or(id);
    const bool is_over =
        scan.after && (id < scan.after->device || (id == scan.after->device && !scan.after->row));
    if (!is_asked_for || is_over) continue;
    Found found = find(scan, *rows);
    if (scan.after && id == scan.after->device) {
      const auto comes_behind = [&](const Row& row) {
        return scan.order == RowOrder::ascending ? comes_before(*scan.after->row, row)
                                                 : comes_before(row, *scan.after->row);
      };
      found.carried.clear();
      std::erase_if(found.others, [&](const Row& row) { return !comes_behind(row); });
    }
    const std::size_t begin = page.rows.size();
    if (begin + found.carried.size() > scan.limit ||
        (begin == scan.limit && !found.others.empty())) {
      page.next = ScanPlace{page.devices.back().id};
      return;
    }
    ++page.looked_at;
    page.rows.insert(page.rows.end(), found.carried.begin(), found.carried.end());
    for (const Row& row : found.others) {
      if (page.rows.size() == scan.limit) {
        page.next = ScanPlace{id, page.rows.back()};
        break;
      }
      page.rows.push_back(row);
    }
    if (page.rows.size() > begin) {
      page.devices.push_back({id, found.carried.size(), page.rows.size()});
    }
    if (page.next) return;
  }
}

class MemoryView final : public RowView {
 public:
  explicit MemoryView(const MemoryStore& store) : store_(store) {}

  asio::awaitable<Result<void>> scan(const Scan& scan, ScanPage& page) override {
    read(store_, scan, page);
    co_return Result<void>();
  }
  asio::awaitable<Result<std::optional<OutcomeSummary>>> outcomes(const std::string& id) override {
    for (const auto& device : store_.devices) {
      if (device.id != id) continue;
      auto outcomes = decode_summary(device.state);
      if (!outcomes) co_return pass(outcomes);
      co_return std::optional(*outcomes);
    }
    co_return std::optional<OutcomeSummary>();
  }
  asio::awaitable<Result<StoredUpTo>> stored_up_to() override {
    const Totals& totals = store_.totals;
    const auto changes = totals[Outcome::accepted] + totals.promoted + totals.retracted;
    co_return StoredUpTo{{0, static_cast<Offset>(changes)}};
  }

 private:
  const MemoryStore store_;  // a copy is one moment
};

}  // namespace

asio::awaitable<Result<void>> MemoryRowReader::scan(const Scan& scan, ScanPage& page) {
  read(store_, scan, page);
  co_return Result<void>();
}

asio::awaitable<Result<std::unique_ptr<RowView>>> MemoryRowReader::view(
    const DeviceRange& /*devices*/) {
  co_return std::unique_ptr<RowView>(std::make_unique<MemoryView>(store_));
}

}  // namespace dwell
