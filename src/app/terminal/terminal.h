#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/printable.h"
#include "questions/stays.h"

namespace dwell {

// What an output stream can show. Colour needs a terminal and no NO_COLOR (https://no-color.org);
// block characters need a UTF-8 locale; COLUMNS overrides the width.
struct Terminal {
  bool is_terminal = false;
  bool has_color = false;
  bool has_unicode = false;
  std::size_t width = 80;  // columns, at least 40

  static Terminal of(std::FILE* stream);
};

// Columns of text, padded to the widest cell; numbers are best right-aligned. What others wrote
// goes in printable.
class TextTable {
 public:
  struct Column {
    std::string title;
    bool is_right_aligned = false;
  };
  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string render(const Terminal& terminal) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Presence from `begin` to `end` in `columns` cells: full where inside for the whole cell, half
// where for a part of it. A stay that has not ended reaches over the end; what was before a first
// row is not known, and is drawn as outside.
class PresenceStrip {
 public:
  PresenceStrip(Timestamp begin, Timestamp end, std::size_t columns);

  void add(const Stay& stay);
  std::string render(const Terminal& terminal) const;

 private:
  Timestamp edge(std::size_t cell) const;

  Timestamp begin_, end_;
  std::vector<Milliseconds> inside_;  // of each cell
};

}  // namespace dwell
