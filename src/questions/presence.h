#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ports/row_reader.h"
#include "questions/list_writer.h"

namespace dwell {

// A page of the devices inside at a moment, in byte order of their ids.
struct PresenceQuery {
  Timestamp at = kLatest;
  std::optional<std::string> after = {};  // the last device of the page before
  std::size_t limit = 1000;               // devices, 1 to kLargestPage
};

struct Presence {
  std::string device;
  Timestamp since;  // the head of the run of enters

  friend bool operator==(const Presence&, const Presence&) = default;
};

// A page ends at its limit, or early when too many devices outside had to be passed over.
struct PresencePage {
  std::vector<Presence> inside;
  std::optional<std::string> next;  // what to ask for `after`; empty: this was the last page
};

// One moment of the store. Errors: those of the reader.
boost::asio::awaitable<Result<PresencePage>> presence(RowReader& reader,
                                                      const PresenceQuery& query);

// Writes who is inside at a moment; json tells the moment.
class PresenceWriter {
 public:
  PresenceWriter(Representation representation, Timestamp at)
      : writer_(representation, "devices", {"deviceID", "since"}), at_(at) {}

  void begin(std::string& out) const;
  void add(const Presence& presence, std::string& out) {
    writer_.add(out, {presence.device}, presence.since);
  }
  void end(const std::optional<std::string>& next, std::string& out) const {
    writer_.end(out, next);
  }

 private:
  ListWriter writer_;
  Timestamp at_;
};

}  // namespace dwell
