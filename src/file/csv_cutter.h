#pragma once

#include <cstddef>
#include <csv.h>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/record.h"

namespace dwell {

// What the first line of a CSV file says.
struct CsvHeader {
  char delimiter = ',';
  // Of the columns from the left, unquoted; empty: not read.
  std::vector<std::string> names = {};
};

// The fields of one line.
std::vector<std::string> csv_fields(std::string_view line, char delimiter);

// Finds the rows of CSV (RFC 4180; any line end) and makes of each the JSON object that the decoder
// reads:
//
//   device_id;room;timestamp    {"device_id":"cam","timestamp":"1751957694"}, when `room` is not
//   cam;"a ""b""";1751957694    read
//
// A row without some last fields has no members for them. One with more fields than the header is
// given as it stands, so that it is refused. Takes the text in pieces and keeps the fields of one
// row, at most `record_bytes` and a line. Not thread-safe.
class CsvCutter {
 public:
  // In offsets of the text. `object` stays valid until the next call; empty: the row as it stands.
  struct Row {
    Offset begin;
    Offset end;
    std::string_view object;
  };

  CsvCutter(CsvHeader header, std::size_t record_bytes);
  ~CsvCutter();
  CsvCutter(const CsvCutter&) = delete;
  CsvCutter& operator=(const CsvCutter&) = delete;

  // Begins at `offset` of the text, where a row begins.
  void start(Offset offset);
  // Goes on through `bytes`, which begin at at(). Stops behind a row; else all were looked at, or
  // the row is_broken().
  std::optional<Row> next(std::string_view bytes);
  // At the end of the text: the row that has not ended, unless it is_broken().
  std::optional<Row> finish();

  Offset at() const { return at_; }
  Offset begun() const { return begin_; }  // where the row that has not ended begins
  // A quote in the row has no end, or none within the longest record.
  bool is_broken() const { return is_broken_; }

 private:
  static void take_field(void* field, std::size_t length, void* cutter);
  static void take_end(int character, void* cutter);
  void add(std::string_view field);
  Row row();

  const CsvHeader header_;
  const std::size_t record_bytes_;
  csv_parser parser_{};
  Offset at_ = 0;
  Offset begin_ = 0;
  bool has_ended_ = false;
  bool is_blank_ = true;  // so far
  bool is_broken_ = false;
  std::size_t column_ = 0;
  bool is_too_wide_ = false;
  std::string object_;
};

}  // namespace dwell
