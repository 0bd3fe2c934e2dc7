#include "file/file_kind.h"

#include <algorithm>

#include "base/characters.h"
#include "file/json_cutter.h"

namespace dwell {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kGzip = "\x1f\x8b";
constexpr std::string_view kZstd = "\x28\xb5\x2f\xfd";

struct KnownKind {
  std::string_view magic;
  std::string_view name;
  std::string_view command;  // that converts; {} is the file. Empty: none does
  std::size_t at = 0;
  bool is_binary = false;  // only with a zero byte: its magic may begin a text
};

// Those of the same beginning: the longer one first.
constexpr KnownKind kOtherKinds[] = {
    {"\xff\xfe\0\0"sv, "UTF-32", "iconv -f UTF-32 -t UTF-8 {} | dwell replay -"},
    {"\0\0\xfe\xff"sv, "UTF-32", "iconv -f UTF-32 -t UTF-8 {} | dwell replay -"},
    {"\xff\xfe", "UTF-16", "iconv -f UTF-16 -t UTF-8 {} | dwell replay -"},
    {"\xfe\xff", "UTF-16", "iconv -f UTF-16 -t UTF-8 {} | dwell replay -"},
    {"PK\3\4", "a zip archive", "unzip -p {} | dwell replay -"},
    {"PK\5\6", "a zip archive", "unzip -p {} | dwell replay -"},
    {"PAR1", "Parquet",
     "duckdb -c \"COPY (FROM '{}') TO '/dev/stdout' (FORMAT json)\" | dwell replay -"},
    {"Obj\1", "Avro", "avro-tools tojson {} | dwell replay -"},
    {"ORC", "ORC", "orc-contents {} | dwell replay -", 0, true},
    {"BZh", "packed by bzip2", "bzip2 -dc {} | dwell replay -"},
    {"\xfd"
     "7zXZ\0"sv,
     "packed by xz", "xz -dc {} | dwell replay -"},
    {"\x04\x22\x4d\x18", "packed by lz4", "lz4 -dc {} | dwell replay -"},
    {"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x -so {} | dwell replay -"},
    {"SQLite format 3\0"sv, "an SQLite database",
     "sqlite3 -json {} 'SELECT * FROM ...' | dwell replay -"},
    {"%PDF-", "a PDF document", ""},
    {"\x89PNG", "a PNG picture", ""},
    {"ustar", "a tar archive", "tar -xOf {} | dwell replay -", 257},
    {"\x1f\x8b", "packed by gzip within", "gzip -dc {} | gzip -dc | dwell replay -"},
    {"\x28\xb5\x2f\xfd", "packed by zstd within", "unpack it and read what comes out"},
};

// As one word of a shell.
std::string quoted(const std::string& path) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./";
  if (path.find_first_not_of(kPlain) == path.npos) return path;
  std::string word = "'";
  for (const char c : path) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

Failure refuse(const std::string& path, std::string_view kind, std::string_view command) {
  std::string line(command);
  if (const auto place = line.find("{}"); place != line.npos) line.replace(place, 2, quoted(path));
  return fail(ErrorKind::invalid, "{}: is {}, which Dwell does not read{}{}", path, kind,
              line.empty() ? "" : "; ", line);
}

bool begins(std::string_view head, const KnownKind& kind) {
  return head.size() >= kind.at && head.substr(kind.at).starts_with(kind.magic) &&
         (!kind.is_binary || head.find('\0') != head.npos);
}

// Whether more bytes could make `magic` of it.
bool may_become(std::string_view head, std::string_view magic) {
  return head.size() < magic.size() && magic.starts_with(head);
}

// UTF-16 or UTF-32 without a mark: of ASCII, every other byte is zero, or three of four are.
std::string_view wide_encoding(std::string_view head) {
  const auto zeros = [&](std::size_t step, std::size_t place) {
    for (std::size_t i = 0; i < 8; ++i) {
      if ((head[i] == '\0') != (i % step != place)) return false;
    }
    return true;
  };
  if (head.size() < 8) return "";
  if (zeros(2, 0)) return "UTF-16LE";
  if (zeros(2, 1)) return "UTF-16BE";
  if (zeros(4, 0)) return "UTF-32LE";
  return zeros(4, 3) ? "UTF-32BE" : "";
}

std::string_view without_leading_space(std::string_view text) {
  const auto first = std::find_if_not(text.begin(), text.end(), is_space);
  return text.substr(static_cast<std::size_t>(first - text.begin()));
}

// Takes the first line that is not blank off `text`. Empty: it has no end there.
std::optional<std::string_view> take_line(std::string_view& text, bool is_all) {
  text = without_leading_space(text);
  const auto end = text.find('\n');
  if (end == text.npos && !is_all) return std::nullopt;
  const auto line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return line;
}

// The place of a byte that no text has, when no line looks like a record.
std::optional<std::size_t> binary_byte(std::string_view head) {
  const auto is_binary = [](char c) {
    return static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\n' && c != '\r' &&
           c != '\f' && c != '\v' && c != '\x1b';
  };
  const auto found = std::find_if(head.begin(), head.end(), is_binary);
  if (found == head.end()) return std::nullopt;
  constexpr std::size_t kSchemaFrame = 5;
  for (auto rest = head; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size() - 1) + 1;
    const auto line = without_leading_space(rest.substr(0, end));
    if (line.starts_with('{')) return std::nullopt;
    if (line.starts_with('\0') && line.size() > kSchemaFrame && line[kSchemaFrame] == '{') {
      return std::nullopt;
    }
    rest.remove_prefix(end);
  }
  return static_cast<std::size_t>(found - head.begin());
}

// The header line, when it names an id and a type.
std::optional<CsvHeader> csv_header(std::string_view line, const Mapping& mapping) {
  // The members of a place that may be columns: those of the record itself.
  const auto columns_of = [](const std::string& place, bool is_id) {
    std::vector<std::string> columns;
    for (const PlacePart& part : parts_of_place(place, is_id)) {
      if (part.names.size() > 1) return std::vector<std::string>();
      if (part.names.size() == 1) columns.push_back(part.names[0]);
    }
    return columns;
  };
  for (const char delimiter : {',', ';', '\t', '|'}) {
    if (line.find(delimiter) == line.npos) continue;
    const auto fields = csv_fields(line, delimiter);
    CsvHeader header{delimiter, std::vector<std::string>(fields.size())};
    const auto find = [&](const std::vector<std::string>& places, bool is_id) {
      bool is_found = false;
      for (const std::string& place : places) {
        const auto columns = columns_of(place, is_id);
        bool has_all = !columns.empty();
        for (const std::string& column : columns) {
          const auto at = std::find(fields.begin(), fields.end(), column);
          has_all = has_all && at != fields.end();
          if (at != fields.end())
            header.names[static_cast<std::size_t>(at - fields.begin())] = column;
        }
        is_found = is_found || has_all;
      }
      return is_found;
    };
    const bool has_id = find(mapping.device_id, true);
    const bool has_type = find(mapping.event_type, false);
    find(mapping.timestamp, false);
    if (has_id && has_type) return header;
  }
  return std::nullopt;
}

constexpr std::string_view kNdjsonEndMark = "{\"end\":true,\"";
constexpr std::string_view kCsvEndMark = "# end,";

// Lines as GET /timeline writes them: of one device, and never with another member.
bool is_answer(std::string_view text) {
  const auto first = text.substr(0, text.find('\n'));
  constexpr std::string_view kType = "\",\"eventType\":\"device_";
  const auto id_end = first.find(kType);
  if (!first.starts_with("{\"deviceID\":\"") || id_end == first.npos) {
    return first.starts_with(kNdjsonEndMark);
  }
  const auto beginning = first.substr(0, id_end + kType.size());
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == text.npos) break;
    const auto line = text.substr(0, end);
    text.remove_prefix(end + 1);
    const auto time = line.find("\",\"timestamp\":\"");
    const bool is_row = line.starts_with(beginning) && time != line.npos && line.ends_with("Z\"}");
    if (!is_row && !line.starts_with(kNdjsonEndMark)) return false;
  }
  return true;
}

}  // namespace

std::optional<Packing> packing_of(std::string_view head, bool is_all) {
  if (head.starts_with(kGzip)) return Packing::gzip;
  if (head.starts_with(kZstd)) return Packing::zstd;
  const bool may_be_packed = may_become(head, kGzip) || may_become(head, kZstd);
  if (may_be_packed && !is_all) return std::nullopt;
  return Packing::none;
}

Result<std::optional<Layout>> layout_of(const std::string& path, std::string_view head, bool is_all,
                                        const Mapping& mapping) {
  is_all = is_all || head.size() >= kHeadBytes;
  for (const KnownKind& kind : kOtherKinds) {
    if (begins(head, kind)) return refuse(path, kind.name, kind.command);
    if (!is_all && kind.at == 0 && may_become(head, kind.magic)) return std::nullopt;
  }
  if (const auto encoding = wide_encoding(head); !encoding.empty()) {
    return refuse(path, encoding,
                  fmt::format("iconv -f {} -t UTF-8 {{}} | dwell replay -", encoding));
  }
  if (may_become(head, kUtf8Mark) && !is_all) return std::nullopt;
  Layout layout;
  layout.start = head.starts_with(kUtf8Mark) ? kUtf8Mark.size() : 0;
  const auto text = without_leading_space(head.substr(layout.start));
  auto rest = text;
  if (text.starts_with('[')) {
    const auto inside = without_leading_space(text.substr(1));
    if (inside.empty() && !is_all) return std::nullopt;
    if (!inside.empty() && (inside[0] == '{' || inside[0] == '[' || inside[0] == ']')) {
      layout.form = Form::json;
      layout.end_mark = "]";
      return layout;
    }
  }
  const auto first = take_line(rest, is_all);
  if (text.starts_with('{')) {
    std::string opening;
    for (const char c : text.substr(0, 64)) {
      if (!is_space(c)) opening += c;
    }
    if (opening.starts_with("{\"events\":[{") || opening.starts_with("{\"events\":[]")) {
      layout.form = Form::wrapped_json;
      layout.end_mark = "]}";
      return layout;
    }
    if (!first) return std::nullopt;
    if (is_one_object(*first)) {
      if (is_answer(text)) layout.end_mark = "{\"end\":true,...}";
      return layout;
    }
    JsonCutter cutter(false);
    if (const auto object = cutter.next(*first)) {
      const auto behind =
          without_leading_space(first->substr(static_cast<std::size_t>(object->resume)));
      if (behind.starts_with('{')) layout.form = Form::json;
      return layout;
    }
    const auto second = take_line(rest, is_all);
    if (!second) return std::nullopt;
    if (!second->empty() && !is_one_object(*second)) layout.form = Form::json;
    return layout;
  }
  if (const auto place = binary_byte(head)) {
    if (!is_all && head.find('\n') == head.npos) return std::nullopt;
    return fail(
        ErrorKind::invalid,
        "{}: is not text: byte 0x{:02x} at {}; Dwell reads JSON and CSV, plain or packed by "
        "gzip or zstd",
        path, static_cast<unsigned>(static_cast<unsigned char>(head[*place])), *place);
  }
  if (!first) return std::nullopt;
  if (auto header = csv_header(*first, mapping)) {
    layout.form = Form::csv;
    layout.header = std::move(*header);
    layout.start = head.size() - rest.size();
    if (first->starts_with("deviceID,eventType,timestamp")) layout.end_mark = "# end,...";
  }
  return layout;
}

bool is_end_mark(std::string_view line) {
  return line.starts_with(kNdjsonEndMark) || line.starts_with(kCsvEndMark);
}

}  // namespace dwell
