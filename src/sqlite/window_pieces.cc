#include "sqlite/window_pieces.h"

#include <algorithm>

#include "core/state_record.h"

namespace dwell {

Result<void> WindowPieces::prepare(Database& database) {
  auto insert = database.prepare("INSERT INTO window (id, device, events) VALUES (?, ?, ?)");
  if (!insert) return pass(insert);
  insert_ = std::move(*insert);
  auto removal = database.prepare("DELETE FROM window WHERE id = ?");
  if (!removal) return pass(removal);
  delete_ = std::move(*removal);
  return {};
}

Result<void> WindowPieces::load(Database& database, Fold& fold) {
  devices_.clear();
  undo_.clear();
  last_id_ = 0;
  auto rows = database.prepare("SELECT device, id, events FROM window ORDER BY device, id");
  if (!rows) return pass(rows);
  std::string events;  // of one device
  DeviceIndex device = 0;
  for (;;) {
    auto row = rows->step();
    if (!row) return pass(row);
    const auto next = *row ? static_cast<DeviceIndex>(rows->integer(0) - 1) : device;
    if (!events.empty() && (!*row || next != device)) {
      if (auto loaded = load_device(device, events, fold); !loaded) return loaded;
      events.clear();
    }
    if (!*row) return {};
    if (next >= fold.device_count()) {
      return fail(ErrorKind::fatal, "the windows name device {}, which is not there",
                  rows->integer(0));
    }
    device = next;
    const auto count = count_of_events(rows->bytes(2));
    if (!count) return pass(count);
    devices_[device].all.push_back({rows->integer(1), static_cast<std::uint32_t>(*count)});
    last_id_ = std::max(last_id_, rows->integer(1));
    events += rows->bytes(2);
  }
}

Result<void> WindowPieces::load_device(DeviceIndex device, std::string_view events, Fold& fold) {
  const auto live = fold.load_older(device, events);
  if (!live) return pass(live);
  Pieces& pieces = devices_[device];
  std::size_t stored = 0;
  for (const Piece& piece : pieces.all) stored += piece.events;
  pieces.events = *live;
  pieces.evicted = static_cast<std::uint32_t>(stored - *live);
  if (pieces.evicted >= pieces.all.front().events) {
    return fail(ErrorKind::fatal, "device {}: its window is damaged", fold.device_id(device));
  }
  return {};
}

Result<std::size_t> WindowPieces::write(DeviceIndex device, const Fold& after) {
  const std::size_t size = after.window_size(device);
  const auto known = devices_.find(device);
  if (known == devices_.end() && size <= kLongestTail) return size;
  Pieces& pieces = known == devices_.end() ? devices_[device] : known->second;
  const WindowChange change = after.window_change(device);
  undo_.push_back({device, pieces.evicted, pieces.events, std::nullopt});
  // Behind a place that changed nothing stands as it did. Where nothing changed at the older end,
  // what was evicted was there before.
  const std::size_t untouched = size - std::min<std::size_t>(size, change.changed);
  if (auto evicted = evict(pieces, untouched == 0 ? pieces.events : change.evicted); !evicted) {
    return pass(evicted);
  }
  if (auto done = cut(device, after, pieces, untouched); !done) return pass(done);
  if (size - pieces.events > kLongestTail) {
    if (auto done = seal(device, after, pieces); !done) return pass(done);
  }
  const std::size_t tail = size - pieces.events;
  if (pieces.all.empty()) devices_.erase(device);
  return tail;
}

Result<void> WindowPieces::remove(const Pieces& pieces, const Piece& piece) {
  if (!undo_.back().all) undo_.back().all = pieces.all;
  delete_.bind(1, piece.id);
  return delete_.run();
}

// The oldest events are gone.
Result<void> WindowPieces::evict(Pieces& pieces, std::size_t events) {
  events = std::min(events, pieces.events);
  pieces.events -= events;
  std::size_t evicted = pieces.evicted + events;
  std::size_t whole = 0;
  for (; whole < pieces.all.size() && pieces.all[whole].events <= evicted; ++whole) {
    evicted -= pieces.all[whole].events;
    if (auto removed = remove(pieces, pieces.all[whole]); !removed) return removed;
  }
  pieces.all.erase(pieces.all.begin(), pieces.all.begin() + static_cast<std::ptrdiff_t>(whole));
  pieces.evicted = static_cast<std::uint32_t>(evicted);
  return {};
}

// No more than the oldest `untouched` events of the window are as they were. A millisecond is not
// parted.
Result<void> WindowPieces::cut(DeviceIndex device, const Fold& after, Pieces& pieces,
                               std::size_t untouched) {
  while (pieces.events > untouched || after.is_second(device, pieces.events)) {
    const Piece last = pieces.all.back();
    if (auto removed = remove(pieces, last); !removed) return removed;
    pieces.all.pop_back();
    pieces.events -= last.events - (pieces.all.empty() ? pieces.evicted : 0);
    if (pieces.all.empty()) pieces.evicted = 0;
  }
  return {};
}

// Gives the older events of a long tail rows of their own, kPiece or one more each.
Result<void> WindowPieces::seal(DeviceIndex device, const Fold& after, Pieces& pieces) {
  const std::size_t size = after.window_size(device);
  if (!undo_.back().all) undo_.back().all = pieces.all;
  while (size - pieces.events >= kLongestTail) {
    events_.clear();
    const std::size_t count = after.encode_events(device, pieces.events, kPiece, events_);
    insert_.bind(1, ++last_id_);
    insert_.bind(2, std::int64_t{device} + 1);
    insert_.bind_blob(3, events_);
    if (auto written = insert_.run(); !written) return written;
    pieces.all.push_back({last_id_, static_cast<std::uint32_t>(count)});
    pieces.events += count;
  }
  return {};
}

void WindowPieces::rolled_back() {
  for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) {
    if (undo->all && undo->all->empty()) {
      devices_.erase(undo->device);
      continue;
    }
    Pieces& pieces = devices_[undo->device];
    if (undo->all) pieces.all = std::move(*undo->all);
    pieces.evicted = undo->evicted;
    pieces.events = undo->events;
  }
  undo_.clear();
}

}  // namespace dwell
