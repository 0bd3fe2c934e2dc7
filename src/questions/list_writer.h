#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/timestamp.h"

namespace dwell {

enum class Representation { json, ndjson, csv };

// Writes a list of items piece by piece. The columns of an item are texts, and a time as the last
// one. Each form ends in a mark of its own, so that a reader sees when the end is missing.
//   json    {"events":[{"deviceID":"cam-1","eventType":"device_enter","timestamp":"..."}]}\n
//   ndjson  a line for each item, then {"end":true,"events":2}, with "next" as in json
//   csv     a head line, a line for each item, then # end,2; the first column is always quoted, so
//           that no item looks like the mark
class ListWriter {
 public:
  // `list` and `columns` as json names them. They outlive the writer.
  ListWriter(Representation representation, std::string_view list,
             std::vector<std::string_view> columns);

  // `members`: what json has before the list, as in "at":"...",
  void begin(std::string& out, std::string_view members = {}) const;
  // What stands before the time of an item with these texts: made once for many items.
  std::string head(std::initializer_list<std::string_view> texts) const;
  void add(std::string& out, std::string_view head, Timestamp time) {
    if (representation_ == Representation::json && count_ > 0) out += ',';
    out += head;
    times_.append(out, time);
    out += tail_;
    ++count_;
  }
  void add(std::string& out, std::initializer_list<std::string_view> texts, Timestamp time) {
    add(out, head(texts), time);
  }
  // `next`: the cursor of the next page, in json and ndjson.
  void end(std::string& out, const std::optional<std::string>& next) const;

 private:
  Representation representation_;
  std::string_view list_;
  std::vector<std::string_view> columns_;
  std::string_view tail_;  // what stands behind a time
  std::size_t count_ = 0;
  Rfc3339Writer times_;
};

}  // namespace dwell
