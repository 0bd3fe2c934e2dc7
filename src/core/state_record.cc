#include "core/state_record.h"

#include <array>
#include <optional>
#include <vector>

#include "base/byte_reader.h"
#include "base/varint.h"

namespace dwell {
namespace {

void put_time_or_never(std::string& out, Timestamp time) {
  put_varint(out, static_cast<std::uint64_t>(to_ms(time) + 1));
}

template <typename State>
void put_head(const State& state, Order order, char version, std::string& out) {
  out.push_back(version);
  out.push_back(static_cast<char>(order));
  put_varint(out, state.seq);
  put_time_or_never(out, state.last_seen);
  put_varint(out, state.suppressed.repeated_enter);
  put_varint(out, state.suppressed.repeated_exit);
  put_varint(out, state.suppressed.duplicate);
  put_varint(out, state.suppressed.initial_exit);
}

template <typename State>
Result<void> take_head(ByteReader& reader, std::optional<Order> order, State& state) {
  const auto version = reader.byte();
  const auto stored_order = reader.byte();
  if (!reader.is_sound()) return fail(ErrorKind::fatal, "the state record is cut short");
  // Only event_time has a second version.
  const bool has_second = stored_order == static_cast<unsigned char>(Order::event_time);
  if (version < 1 || version > (has_second ? kStateRecordVersion : 1)) {
    return fail(ErrorKind::fatal,
                "the state record has version {}, this binary reads {}: use the release that wrote "
                "it",
                version, has_second ? "versions 1 and 2" : "version 1");
  }
  if (order && stored_order != static_cast<unsigned char>(*order)) {
    return fail(ErrorKind::fatal, "the state record was not written under order = {}",
                name(*order));
  }
  state.seq = reader.number();
  state.last_seen = reader.time_or_never();
  state.suppressed.repeated_enter = reader.number();
  state.suppressed.repeated_exit = reader.number();
  state.suppressed.duplicate = reader.number();
  state.suppressed.initial_exit = reader.number();
  return {};
}

Result<void> finish(const ByteReader& reader) {
  if (!reader.is_complete()) return fail(ErrorKind::fatal, "the state record is damaged");
  return {};
}

constexpr auto kLargestPackedEvent = (static_cast<std::uint64_t>(to_ms(kLatest)) << 1) | 1;
constexpr auto kLargestPackedEntry = (static_cast<std::uint64_t>(to_ms(kLatest)) << 2) | 3;

std::uint64_t packed(const Event& event) {
  return static_cast<std::uint64_t>(to_ms(event.timestamp)) << 1 |
         static_cast<std::uint64_t>(event.type);
}

void put_events(const EventWindow& window, std::size_t first, std::size_t count, std::string& out) {
  put_varint(out, count);
  std::uint64_t older = 0;
  for (std::size_t i = first; i < first + count; ++i) {
    put_varint(out, window[i].packed - older);
    older = window[i].packed;
  }
}

// Appends a list of events to `entries`, behind those that are there.
void take_events(ByteReader& reader, std::vector<EventWindow::Entry>& entries) {
  // A window may be larger than window_max allows: a millisecond is never split.
  const auto count = reader.number(kLargestWindow + 1);
  EventWindow::Entry entry{0};
  for (std::size_t i = 0; i < count && reader.is_sound(); ++i) {
    const auto step = reader.number(kLargestPackedEntry);
    reader.require(i == 0 || step > 0);
    entry.packed += step;
    reader.require(entry.packed <= kLargestPackedEntry);
    const auto previous = entries.empty() ? EventWindow::Entry{0} : entries.back();
    reader.require(entries.empty() || entry.packed > previous.packed);
    // A millisecond holds one event of tie 0, or two of both types, of ties 0 and 1.
    const bool is_second = !entries.empty() && entry.timestamp() == previous.timestamp();
    reader.require(entry.tie() == (is_second ? 1 : 0));
    reader.require(!is_second || (previous.tie() == 0 && previous.type() != entry.type()));
    if (reader.is_sound()) entries.push_back(entry);
  }
}

}  // namespace

template <std::size_t kCapacity>
void encode_state(const ArrivalState<kCapacity>& state, std::string& out) {
  put_head(state, Order::arrival, 1, out);
  std::size_t count = 0;
  while (state.recent(count)) ++count;
  put_varint(out, count);
  std::uint64_t newer = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t value = packed(*state.recent(i));
    put_varint(out, zigzag(static_cast<std::int64_t>(value - newer)));
    newer = value;
  }
}

template <std::size_t kCapacity>
Result<void> decode_state(std::string_view record, ArrivalState<kCapacity>& state) {
  ByteReader reader(record);
  if (auto head = take_head(reader, Order::arrival, state); !head) return head;
  const auto count = reader.number(kLargestDuplicateWindow);
  std::array<std::uint64_t, kLargestDuplicateWindow> events;
  std::uint64_t newer = 0;
  for (std::size_t i = 0; i < count; ++i) {
    newer += static_cast<std::uint64_t>(unzigzag(reader.number()));
    reader.require(newer <= kLargestPackedEvent);
    events[i] = newer;
  }
  if (auto whole = finish(reader); !whole) return whole;
  for (std::size_t i = count; i > 0; --i) {
    state.remember(from_ms(static_cast<std::int64_t>(events[i - 1] >> 1)),
                   static_cast<EventType>(events[i - 1] & 1));
  }
  return {};
}

void encode_state(const EventTimeState& state, std::string& out) {
  encode_state(state, state.window.size(), out);
}

void encode_state(const EventTimeState& state, std::size_t newest, std::string& out) {
  put_head(state, Order::event_time, state.newest_under == 2 ? 2 : 1, out);
  put_varint(out, state.accepted);
  put_varint(out, state.promoted);
  put_varint(out, state.retracted);
  out.push_back(static_cast<char>(state.base ? 1 + static_cast<int>(*state.base) : 0));
  put_time_or_never(out, state.largest_evicted);
  put_time_or_never(out, state.newest);
  put_events(state.window, state.window.size() - newest, newest, out);
}

std::size_t encode_events(const EventWindow& window, std::size_t first, std::size_t count,
                          std::string& out) {
  if (window.is_second(first + count)) ++count;
  put_events(window, first, count, out);
  return count;
}

Result<std::size_t> load_older(std::string_view events, EventTimeState& state) {
  std::vector<EventWindow::Entry> older;
  ByteReader reader(events);
  while (reader.is_sound() && !reader.is_complete()) take_events(reader, older);
  if (auto whole = finish(reader); !whole) return pass(whole);
  const auto is_evicted = [&](const EventWindow::Entry& entry) {
    return entry.timestamp() <= state.largest_evicted;
  };
  older.erase(older.begin(), std::find_if_not(older.begin(), older.end(), is_evicted));
  const bool is_in_order =
      older.empty() ||
      (!state.window.empty() && older.back().timestamp() < state.window.front().timestamp());
  if (!is_in_order) return fail(ErrorKind::fatal, "the events of its window are damaged");
  state.window.prepend(older);
  return older.size();
}

Result<std::size_t> count_of_events(std::string_view events) {
  std::vector<EventWindow::Entry> entries;
  ByteReader reader(events);
  take_events(reader, entries);
  if (auto whole = finish(reader); !whole) return pass(whole);
  return entries.size();
}

Result<void> decode_state(std::string_view record, EventTimeState& state) {
  ByteReader reader(record);
  if (auto head = take_head(reader, Order::event_time, state); !head) return head;
  state.accepted = reader.number();
  state.promoted = reader.number();
  state.retracted = reader.number();
  const auto base = reader.byte();
  reader.require(base <= 2);
  if (base != 0) state.base = static_cast<EventType>(base - 1);
  state.largest_evicted = reader.time_or_never();
  state.newest = reader.time_or_never();
  std::vector<EventWindow::Entry> entries;
  take_events(reader, entries);
  reader.require(entries.empty() || entries.front().timestamp() > state.largest_evicted);
  if (reader.is_sound()) state.window.prepend(entries);
  // Only an event gives `newest` a meaning, and the newest one stays in the window.
  if (!state.window.empty()) state.newest_under = static_cast<unsigned char>(record[0]);
  reader.require(!state.window.empty() || record[0] == 1);
  return finish(reader);
}

Result<OutcomeSummary> decode_summary(std::string_view record) {
  ByteReader reader(record);
  OutcomeSummary summary;
  if (auto taken = take_head(reader, std::nullopt, summary); !taken) return pass(taken);
  const bool is_event_time = static_cast<Order>(record[1]) == Order::event_time;
  summary.accepted = is_event_time ? reader.number() : summary.seq;
  summary.promoted = is_event_time ? reader.number() : 0;
  summary.retracted = is_event_time ? reader.number() : 0;
  if (!reader.is_sound()) return fail(ErrorKind::fatal, "the state record is damaged");
  return summary;
}

// The size classes of duplicate_window; see Fold.
template void encode_state(const ArrivalState<4>&, std::string&);
template void encode_state(const ArrivalState<16>&, std::string&);
template void encode_state(const ArrivalState<64>&, std::string&);
template Result<void> decode_state(std::string_view, ArrivalState<4>&);
template Result<void> decode_state(std::string_view, ArrivalState<16>&);
template Result<void> decode_state(std::string_view, ArrivalState<64>&);

std::optional<Order> order_of_state(std::string_view record) {
  if (record.size() < 2 || record[0] < 1 || record[0] > 2) return std::nullopt;
  if (record[1] == static_cast<char>(Order::arrival)) return Order::arrival;
  if (record[1] == static_cast<char>(Order::event_time)) return Order::event_time;
  return std::nullopt;
}

}  // namespace dwell
