#include "file/csv_cutter.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

#include "base/check.h"

namespace dwell {
namespace {

constexpr std::size_t kFieldBlock = 4096;  // by which the parser's field grows

void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < ' ') {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

void open_parser(csv_parser& parser, char delimiter) {
  CHECK(csv_init(&parser, 0) == 0);
  csv_set_delim(&parser, static_cast<unsigned char>(delimiter));
  csv_set_blk_size(&parser, kFieldBlock);
}

}  // namespace

std::vector<std::string> csv_fields(std::string_view line, char delimiter) {
  std::vector<std::string> fields;
  const auto take = [](void* field, std::size_t length, void* all) {
    const std::string_view text(static_cast<const char*>(field), length);
    static_cast<std::vector<std::string>*>(all)->push_back(std::string(text));
  };
  csv_parser parser{};
  open_parser(parser, delimiter);
  csv_parse(&parser, line.data(), line.size(), take, nullptr, &fields);
  csv_fini(&parser, take, nullptr, &fields);
  csv_free(&parser);
  return fields;
}

CsvCutter::CsvCutter(CsvHeader header, std::size_t record_bytes)
    : header_(std::move(header)), record_bytes_(record_bytes) {
  open_parser(parser_, header_.delimiter);
}

CsvCutter::~CsvCutter() {
  csv_free(&parser_);
}

void CsvCutter::start(Offset offset) {
  csv_free(&parser_);
  open_parser(parser_, header_.delimiter);
  at_ = begin_ = offset;
  is_broken_ = false;
  is_blank_ = true;
  has_ended_ = false;
  column_ = 0;
  is_too_wide_ = false;
  object_.clear();
}

std::optional<CsvCutter::Row> CsvCutter::next(std::string_view bytes) {
  while (!bytes.empty() && !is_broken_) {
    const auto line_end = std::min(bytes.find_first_of("\r\n"), bytes.size() - 1) + 1;
    const std::string_view piece = bytes.substr(0, line_end);
    bytes.remove_prefix(line_end);
    is_blank_ = is_blank_ && piece.find_first_not_of(" \t\r\n") == piece.npos;
    csv_parse(&parser_, piece.data(), piece.size(), take_field, take_end, this);
    at_ += static_cast<Offset>(piece.size());
    if (has_ended_) return row();
    if (is_blank_ && (piece.back() == '\n' || piece.back() == '\r')) begin_ = at_;
    is_broken_ = static_cast<std::size_t>(at_ - begin_) > record_bytes_;
  }
  return std::nullopt;
}

std::optional<CsvCutter::Row> CsvCutter::finish() {
  if (is_broken_) return std::nullopt;
  csv_set_opts(&parser_, CSV_STRICT | CSV_STRICT_FINI);  // told of a quote without end
  is_broken_ = csv_fini(&parser_, take_field, take_end, this) != 0;
  csv_set_opts(&parser_, 0);
  if (is_broken_ || !has_ended_) return std::nullopt;
  return row();
}

CsvCutter::Row CsvCutter::row() {
  if (object_.empty()) object_.assign(1, '{');
  object_ += '}';
  const Row found{begin_, at_, is_too_wide_ ? std::string_view() : std::string_view(object_)};
  begin_ = at_;
  is_blank_ = true;
  has_ended_ = false;
  column_ = 0;
  is_too_wide_ = false;
  return found;
}

void CsvCutter::take_field(void* field, std::size_t length, void* cutter) {
  static_cast<CsvCutter*>(cutter)->add({static_cast<const char*>(field), length});
}

void CsvCutter::take_end(int /*character*/, void* cutter) {
  static_cast<CsvCutter*>(cutter)->has_ended_ = true;
}

void CsvCutter::add(std::string_view field) {
  if (column_ == 0) object_.assign(1, '{');
  const auto column = column_++;
  if (column >= header_.names.size()) {
    is_too_wide_ = is_too_wide_ || !field.empty();
    return;
  }
  if (header_.names[column].empty()) return;
  if (object_.size() > 1) object_ += ',';
  append_json_text(object_, header_.names[column]);
  object_ += ':';
  append_json_text(object_, field);
}

}  // namespace dwell
