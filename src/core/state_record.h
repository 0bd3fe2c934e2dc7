#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/arrival.h"
#include "core/event_time.h"

namespace dwell {

// The durable form of a device's state, byte by byte in docs/formats.md ("State record"). The same
// bytes are kept by every store; a later release reads what an earlier one wrote.
// Version 2 is that of event_time under rule 2: the same bytes, of which `newest` means another
// time.
inline constexpr unsigned char kStateRecordVersion = 2;

// Appends the record to `out`.
template <std::size_t kCapacity>
void encode_state(const ArrivalState<kCapacity>& state, std::string& out);
void encode_state(const EventTimeState& state, std::string& out);
// The same, as if the window held only its `newest` events. The others are kept elsewhere, as
// encode_events() gives them.
void encode_state(const EventTimeState& state, std::size_t newest, std::string& out);

// Appends `count` events of the window from the one at `first` on, or one more where that would
// part two of one millisecond. Returns how many.
std::size_t encode_events(const EventWindow& window, std::size_t first, std::size_t count,
                          std::string& out);
// Puts the events of several such records, one behind the other, in front of the window; those that
// were evicted since are left out. Returns how many were put there. Fails with `fatal` when they
// are damaged.
Result<std::size_t> load_older(std::string_view events, EventTimeState& state);
// How many events there are in one such record.
Result<std::size_t> count_of_events(std::string_view events);

// Reads a whole record into a fresh state. Fails with `fatal` when it is damaged, of another
// version or of another order; the message names what was wrong, the caller adds whose it is.
// An ArrivalState keeps the newest kCapacity events of a record that holds more.
template <std::size_t kCapacity>
Result<void> decode_state(std::string_view record, ArrivalState<kCapacity>& state);
Result<void> decode_state(std::string_view record, EventTimeState& state);

// The order a record was written under; none when it is no state record.
std::optional<Order> order_of_state(std::string_view record);

// What the records of both orders tell about a device's outcomes.
struct OutcomeSummary {
  std::uint64_t seq = 0;
  Timestamp last_seen = kNever;
  SuppressedCounts suppressed;
  std::uint64_t accepted = 0;
  std::uint64_t promoted = 0;
  std::uint64_t retracted = 0;
};
Result<OutcomeSummary> decode_summary(std::string_view record);

}  // namespace dwell
