#include "postgres/row_batch.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_set>

namespace dwell {
namespace {

// Writes the fields of a row one after the other into memory that is large enough.
class FieldWriter {
 public:
  explicit FieldWriter(char* place) : place_(place) {}

  template <typename Integer>
  void put(Integer value) {
    static_assert(std::endian::native == std::endian::little);
    if constexpr (sizeof(Integer) == 2) value = __builtin_bswap16(value);
    if constexpr (sizeof(Integer) == 4) value = __builtin_bswap32(value);
    if constexpr (sizeof(Integer) == 8) value = __builtin_bswap64(value);
    std::memcpy(place_, &value, sizeof value);
    place_ += sizeof value;
  }
  void put_field(std::string_view bytes) {
    put(static_cast<std::uint32_t>(bytes.size()));
    std::memcpy(place_, bytes.data(), bytes.size());
    place_ += bytes.size();
  }
  void put_field(std::uint64_t number) {
    put(std::uint32_t{8});
    put(number);
  }

 private:
  char* place_;
};

constexpr std::size_t kFields = 5;
constexpr std::uint32_t kNull = 0xffffffff;

// How many bytes all of the ids begin with.
std::size_t common_prefix(std::span<const RowChange> changes) {
  std::string_view common = changes.front().device;
  for (const RowChange& change : changes) {
    if (change.device.starts_with(common)) continue;
    const auto [end, other] =
        std::mismatch(common.begin(), common.end(), change.device.begin(), change.device.end());
    common = common.substr(0, static_cast<std::size_t>(end - common.begin()));
  }
  return common.size();
}

// The next eight bytes, as a number that sorts as they do.
std::uint64_t sort_key(std::string_view device, std::size_t skip) {
  const auto rest = device.substr(skip);
  std::uint64_t key = 0;
  std::memcpy(&key, rest.data(), std::min<std::size_t>(rest.size(), sizeof key));
  return __builtin_bswap64(key);
}

}  // namespace

void put_copy_row(std::string& out, const RowChange& change) {
  const std::string_view type = wire_name(change.type);
  const std::size_t size =
      2 + kFields * 4 + change.device.size() + type.size() + 2 * 8 + (change.seq ? 8 : 0);
  const std::size_t begin = out.size();
  out.resize(begin + size);
  FieldWriter writer(out.data() + begin);
  writer.put(static_cast<std::uint16_t>(kFields));
  writer.put_field(change.device);
  writer.put_field(type);
  writer.put_field(static_cast<std::uint64_t>(to_ms(change.timestamp)));
  writer.put_field(change.rank);
  if (change.seq) {
    writer.put_field(*change.seq);
  } else {
    writer.put(kNull);
  }
}

void RowBatch::fill(std::span<const RowSlice> slices) {
  parts_.clear();
  copy_.clear();
  times_.clear();
  retracted_rows_.clear();
  contested_devices_.clear();
  for (const RowSlice& slice : slices) {
    Part& part = parts_.emplace_back();
    part.position = slice.position;
    part.rejected = static_cast<std::int64_t>(slice.rejected);
    for (const RowChange& change : slice.changes) {
      const bool is_insert = change.operation == Operation::insert;
      ++(is_insert ? part.inserts : part.retracts);
      if (is_insert) times_.push_back(change.timestamp);
    }
  }
  divide(slices);
}

// Into rows to copy and changes of rows that have a retract.
void RowBatch::divide(std::span<const RowSlice> slices) {
  std::unordered_set<RowIdentity, RowIdentityHash> retracted;
  std::vector<RowChange> rows;
  for (const RowSlice& slice : slices) {
    for (const RowChange& change : slice.changes) {
      if (change.operation == Operation::retract) retracted.emplace(change);
    }
  }
  for (std::size_t i = 0; i < slices.size(); ++i) {
    Part& part = parts_[i];
    part.begin = copy_.size();
    std::span<const RowChange> free = slices[i].changes;
    if (!retracted.empty()) {
      rows.clear();
      for (const RowChange& change : slices[i].changes) {
        if (retracted.contains(RowIdentity(change))) {
          retracted_rows_.push_back({change, i});
          contested_devices_.emplace_back(change.device);
        } else {
          rows.push_back(change);
        }
      }
      free = rows;
    }
    add_rows(free);
    part.end = copy_.size();
    part.rows = static_cast<std::int64_t>(free.size());
  }
  for (std::size_t i = 0; i < retracted_rows_.size(); ++i) {
    retracted_rows_[i].change.device = contested_devices_[i];
  }
}

void RowBatch::add_rows(std::span<const RowChange> changes) {
  if (changes.empty()) return;
  sort(changes);
  for (const Place& place : order_) put_copy_row(copy_, changes[place.index]);
}

void RowBatch::sort(std::span<const RowChange> changes) {
  const std::size_t skip = common_prefix(changes);
  order_.clear();
  for (const RowChange& change : changes) {
    order_.push_back({sort_key(change.device, skip), static_cast<std::uint32_t>(order_.size())});
  }
  std::sort(order_.begin(), order_.end(), [](const Place& a, const Place& b) {
    return a.key != b.key ? a.key < b.key : a.index < b.index;
  });
}

}  // namespace dwell
