#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/mapping.h"
#include "file/csv_cutter.h"
#include "file/unpacker.h"

namespace dwell {

// How records lie in a text.
enum class Form {
  lines,         // one a line
  json,          // objects in arrays, or over several lines
  wrapped_json,  // {"events":[...]}
  csv,           // rows under a header line
};

// What the beginning of a text says of all of it.
struct Layout {
  Form form = Form::lines;
  std::size_t start = 0;  // where the first record is looked for: behind a mark or a header line
  CsvHeader header = {};
  // What has to stand at the end, for somebody to read; empty: anything may.
  std::string_view end_mark = {};
};

inline constexpr std::string_view kUtf8Mark = "\xef\xbb\xbf";

// The most bytes that are looked at.
inline constexpr std::size_t kHeadBytes = 64 << 10;

// Both look at the first bytes of a file, at most kHeadBytes; `is_all`: more do not follow. Empty:
// that cannot be told before more is there.
std::optional<Packing> packing_of(std::string_view head, bool is_all);
// What lies in the text of the file `path`, once it is unpacked. Errors: invalid (a kind of file
// that is not read; the message names it and the command that converts). CSV is told by the names
// of its columns, which are those of `mapping`. What may be lines is lines: one damaged line makes
// no other kind of the file.
Result<std::optional<Layout>> layout_of(const std::string& path, std::string_view head, bool is_all,
                                        const Mapping& mapping);

// The line that ends an answer of Dwell's in NDJSON or CSV; false for any other.
bool is_end_mark(std::string_view line);

}  // namespace dwell
