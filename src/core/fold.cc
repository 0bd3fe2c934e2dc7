#include "core/fold.h"

#include <algorithm>
#include <array>
#include <new>
#include <type_traits>
#include <variant>

#include "base/check.h"
#include "core/arrival.h"
#include "core/decoder.h"
#include "core/device_set.h"
#include "core/device_table.h"
#include "core/event_time.h"
#include "core/state_record.h"

namespace dwell {
namespace {

// Records decoded ahead of deciding: enough to overlap the memory latency of their look-ups, few
// enough to stay in the first-level cache.
constexpr std::size_t kBlock = 64;
// The bytes of a record that is so many places away are asked for; most end in the second line.
constexpr std::size_t kAhead = 8;
constexpr std::size_t kCacheLine = 64;

using Table = std::variant<DeviceTable<ArrivalState<4>>, DeviceTable<ArrivalState<16>>,
                           DeviceTable<ArrivalState<64>>, DeviceTable<EventTimeState>>;

Table make_table(const Rule& rule, std::uint64_t seed) {
  CHECK(rule.duplicate_window <= kLargestDuplicateWindow);
  CHECK(rule.window_max >= 1 && rule.window_max <= kLargestWindow);
  if (rule.order == Order::event_time) {
    return Table(std::in_place_type<DeviceTable<EventTimeState>>, seed);
  }
  if (rule.duplicate_window <= 4) {
    return Table(std::in_place_type<DeviceTable<ArrivalState<4>>>, seed);
  }
  if (rule.duplicate_window <= 16) {
    return Table(std::in_place_type<DeviceTable<ArrivalState<16>>>, seed);
  }
  return Table(std::in_place_type<DeviceTable<ArrivalState<64>>>, seed);
}

}  // namespace

Outcome check_clock(const Event& event, Timestamp now, const Rule& rule) {
  if (rule.clock_source == ClockSource::received) return Outcome::accepted;
  if (rule.max_ahead && event.timestamp - now > *rule.max_ahead) return Outcome::future_timestamp;
  if (rule.max_behind && now - event.timestamp > *rule.max_behind) return Outcome::past_timestamp;
  return Outcome::accepted;
}

class Fold::Impl {
 public:
  Impl(const Rule& rule, std::uint64_t seed)
      : rule_(rule), seed_(seed), decoder_(rule), table_(make_table(rule, seed)) {}

  const Unit& fold(std::span<const Record> records, std::span<const Position> positions) {
    CHECK(records.size() <= UINT32_MAX);
    decoder_.reset();
    touched_.clear();
    ++unit_number_;
    unit_.records = records;
    unit_.positions = positions;
    unit_.outcomes.clear();
    unit_.changes.clear();
    unit_.rejected.clear();
    unit_.too_late.clear();
    unit_.late = 0;
    unit_.miskeyed.clear();
    unit_.first_new = static_cast<DeviceIndex>(names().size());
    std::visit(
        [&](auto& table) {
          for (std::size_t start = 0; start < records.size(); start += kBlock) {
            fold_block(table, start, std::min(kBlock, records.size() - start));
          }
        },
        table_);
    unit_.touched = touched_.list();
    return unit_;
  }

  Result<DeviceIndex> load_device(std::string_view id, std::string_view record) {
    if (is_valid_device_id(id) && names().find(id, names().hash(id))) {
      return fail(ErrorKind::fatal, "device {} is stored twice", id);
    }
    return put_device(id, record);
  }

  Result<DeviceIndex> put_device(std::string_view id, std::string_view record) {
    if (!is_valid_device_id(id)) return fail(ErrorKind::fatal, "a stored device id is damaged");
    return std::visit(
        [&]<typename State>(DeviceTable<State>& table) -> Result<DeviceIndex> {
          State state;
          if (auto decoded = decode_state(record, state); !decoded) {
            return fail(ErrorKind::fatal, "device {}: {}", id, decoded.error().message);
          }
          const DeviceIndex index = table.find_or_add(id, table.names().hash(id));
          table.state(index) = std::move(state);
          return index;
        },
        table_);
  }

  std::uint64_t seed() const { return seed_; }

  const DeviceNames& names() const {
    return std::visit([](const auto& table) -> const DeviceNames& { return table.names(); },
                      table_);
  }

  void encode(DeviceIndex index, std::string& out) const {
    std::visit([&](const auto& table) { dwell::encode_state(table.state(index), out); }, table_);
  }

  template <typename F>
  auto with_window(DeviceIndex index, F f) const {
    const auto* table = std::get_if<DeviceTable<EventTimeState>>(&table_);
    return f(table ? &table->state(index) : nullptr);
  }

  Result<std::size_t> load_older(DeviceIndex index, std::string_view events) {
    auto* table = std::get_if<DeviceTable<EventTimeState>>(&table_);
    if (!table) return fail(ErrorKind::fatal, "arrival order has no windows");
    auto loaded = dwell::load_older(events, table->state(index));
    if (loaded) return loaded;
    return fail(ErrorKind::fatal, "device {}: {}", names().id(index), loaded.error().message);
  }

  std::size_t state_bytes() const {
    return touched_.allocated_bytes() +
           std::visit([](const auto& table) { return table.allocated_bytes(); }, table_);
  }

  const Rule& rule() const { return rule_; }
  Totals& totals() { return unit_.totals; }

 private:
  // Three passes over a block: decode and hash, find the device, decide. Each pass asks the memory
  // for what the next one reads.
  template <typename State>
  void fold_block(DeviceTable<State>& table, std::size_t start, std::size_t count) {
    std::array<Decoded, kBlock> decoded;
    std::array<DeviceNames::Hash, kBlock> hashes;
    std::array<DeviceIndex, kBlock> devices;
    const auto block = unit_.records.subspan(start, count);

    for (std::size_t i = 0; i < count; ++i) {
      if (i + kAhead < count) {
        const std::string_view later = block[i + kAhead].bytes;
        __builtin_prefetch(later.data());
        if (later.size() > kCacheLine) __builtin_prefetch(later.data() + kCacheLine);
      }
      // Constructed in place: an assignment would copy what was just written, and wait for it.
      new (&decoded[i]) Decoded(decoder_.decode(block[i]));
      if (decoded[i].outcome != Outcome::accepted) continue;
      decoded[i].outcome = check_clock(decoded[i].event, block[i].now, rule_);
      if (decoded[i].outcome != Outcome::accepted) continue;
      hashes[i] = table.names().hash(decoded[i].event.device);
      table.names().prefetch(hashes[i]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (decoded[i].outcome != Outcome::accepted) continue;
      devices[i] = table.find_or_add(decoded[i].event.device, hashes[i]);
      table.prefetch(devices[i]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const auto record = static_cast<std::uint32_t>(start + i);
      Outcome outcome = decoded[i].outcome;
      if (outcome == Outcome::accepted) {
        const auto& key = block[i].key;
        if (key.data() && key != decoded[i].event.device) {
          unit_.miskeyed.push_back({record, devices[i]});
        }
        outcome = decide(table.state(devices[i]), devices[i], record, decoded[i].event);
      }
      close(outcome, record, decoded[i]);
    }
  }

  template <typename State>
  Outcome decide(State& state, DeviceIndex device, std::uint32_t record, Event event) {
    const Timestamp now = unit_.records[record].now;
    if (rule_.clock_source == ClockSource::received) {
      event.timestamp = std::max(now, state.last_seen + Milliseconds{1});
      if (!in_range(event.timestamp)) return Outcome::invalid_timestamp;
    }
    const bool is_behind = event.timestamp < state.last_seen;
    if constexpr (std::is_same_v<State, EventTimeState>) state.begin_unit(unit_number_);
    const Decision decision = state.decide(event, now, rule_);
    if constexpr (std::is_same_v<State, EventTimeState>) {
      if (decision.outcome == Outcome::too_late) note_too_late(state, device, record, event);
    } else {
      unit_.late += is_behind && decision.outcome == Outcome::accepted;
    }
    if (decision.change_count > 0) unit_.changes.push_back({device, record, decision.changes[0]});
    if (decision.change_count > 1) unit_.changes.push_back({device, record, decision.changes[1]});
    count_corrections(decision);
    // A too_late record leaves its device as it was.
    if (!is_rejected(decision.outcome)) touched_.add(device);
    return decision.outcome;
  }

  void note_too_late(const EventTimeState& state, DeviceIndex device, std::uint32_t record,
                     const Event& event) {
    const Timestamp now = unit_.records[record].now;
    const Timestamp newest = std::min(state.window.back().timestamp(), now);
    const bool is_within =
        state.newest == kNever || event.timestamp >= state.newest - rule_.horizon;
    unit_.too_late.push_back({record, device, event.timestamp, event.type, newest - event.timestamp,
                              is_within, state.jump(rule_)});
  }

  // Any change beyond the accepted event's own is a correction of an earlier outcome.
  void count_corrections(const Decision& decision) {
    for (std::size_t i = 1; i < decision.change_count; ++i) {
      const bool is_retract = decision.changes[i].operation == Operation::retract;
      ++(is_retract ? unit_.totals.retracted : unit_.totals.promoted);
    }
  }

  void close(Outcome outcome, std::uint32_t record, const Decoded& decoded) {
    unit_.outcomes.push_back(outcome);
    if (outcome == Outcome::ignored) {
      unit_.totals.count_ignored(decoded.ignored_type);
      return;
    }
    ++unit_.totals[outcome];
    if (is_rejected(outcome)) unit_.rejected.push_back(record);
  }

  Rule rule_;
  std::uint64_t seed_;
  Decoder decoder_;
  Table table_;
  DeviceSet touched_;
  std::uint32_t unit_number_ = 0;
  Unit unit_;
};

Fold::Fold(const Rule& rule, std::uint64_t hash_seed)
    : impl_(std::make_unique<Impl>(rule, hash_seed)) {}
Fold::~Fold() = default;
Fold::Fold(Fold&&) noexcept = default;
Fold& Fold::operator=(Fold&&) noexcept = default;

const Unit& Fold::fold(std::span<const Record> records, std::span<const Position> positions) {
  return impl_->fold(records, positions);
}
Result<DeviceIndex> Fold::load_device(std::string_view id, std::string_view record) {
  return impl_->load_device(id, record);
}
void Fold::prefetch_device(std::string_view id) const {
  impl_->names().prefetch(impl_->names().hash(id));
}
void Fold::prefetch_device_id(DeviceIndex index) const {
  impl_->names().prefetch_id(index);
}
Result<DeviceIndex> Fold::put_device(std::string_view id, std::string_view record) {
  return impl_->put_device(id, record);
}
Fold Fold::empty_copy(const Rule& rule) const {
  return Fold(rule, impl_->seed());
}
void Fold::load_totals(const Totals& totals) {
  impl_->totals() = totals;
}
const Rule& Fold::rule() const {
  return impl_->rule();
}
const Totals& Fold::totals() const {
  return impl_->totals();
}
std::size_t Fold::device_count() const {
  return impl_->names().size();
}
std::string_view Fold::device_id(DeviceIndex index) const {
  return impl_->names().id(index);
}
void Fold::encode_state(DeviceIndex index, std::string& out) const {
  impl_->encode(index, out);
}
Result<std::size_t> Fold::load_older(DeviceIndex index, std::string_view events) {
  return impl_->load_older(index, events);
}
std::size_t Fold::window_size(DeviceIndex index) const {
  return impl_->with_window(index, [](const EventTimeState* state) {
    return state ? state->window.size() : std::size_t{0};
  });
}
bool Fold::is_second(DeviceIndex index, std::size_t i) const {
  return impl_->with_window(
      index, [&](const EventTimeState* state) { return state && state->window.is_second(i); });
}
WindowChange Fold::window_change(DeviceIndex index) const {
  return impl_->with_window(index, [](const EventTimeState* state) {
    return state ? state->change_in_unit : WindowChange{};
  });
}
void Fold::encode_state(DeviceIndex index, std::size_t newest, std::string& out) const {
  impl_->with_window(index, [&](const EventTimeState* state) {
    if (state) {
      dwell::encode_state(*state, newest, out);
    } else {
      impl_->encode(index, out);
    }
  });
}
std::size_t Fold::encode_events(DeviceIndex index, std::size_t first, std::size_t count,
                                std::string& out) const {
  return impl_->with_window(index, [&](const EventTimeState* state) {
    return state ? dwell::encode_events(state->window, first, count, out) : std::size_t{0};
  });
}
std::size_t Fold::state_bytes() const {
  return impl_->state_bytes();
}

}  // namespace dwell
