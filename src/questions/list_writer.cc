#include "questions/list_writer.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <utility>

#include "base/check.h"

namespace dwell {
namespace {

std::string csv_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

void add_json_text(std::string& out, std::string_view text) {
  const bool is_plain = std::all_of(
      text.begin(), text.end(), [](unsigned char c) { return c >= ' ' && c != '"' && c != '\\'; });
  if (is_plain) {
    out.append("\"").append(text).append("\"");
  } else {
    out += boost::json::serialize(boost::json::string_view(text.data(), text.size()));
  }
}

// One field of a CSV line (RFC 4180).
std::string csv_field(std::string_view text) {
  const bool is_plain = text.find_first_of("\",\r\n") == std::string_view::npos;
  return is_plain ? std::string(text) : csv_quoted(text);
}

}  // namespace

ListWriter::ListWriter(Representation representation, std::string_view list,
                       std::vector<std::string_view> columns)
    : representation_(representation),
      list_(list),
      columns_(std::move(columns)),
      tail_(representation == Representation::csv      ? "\r\n"
            : representation == Representation::ndjson ? "\"}\n"
                                                       : "\"}") {}

void ListWriter::begin(std::string& out, std::string_view members) const {
  if (representation_ == Representation::json) {
    out.append("{").append(members).append("\"").append(list_).append("\":[");
  }
  if (representation_ == Representation::csv) {
    out += fmt::format("{}\r\n", fmt::join(columns_, ","));
  }
}

std::string ListWriter::head(std::initializer_list<std::string_view> texts) const {
  CHECK(texts.size() + 1 == columns_.size());
  constexpr std::size_t kUsual = 96;  // bytes
  const bool is_csv = representation_ == Representation::csv;
  std::string out;
  out.reserve(kUsual);
  if (!is_csv) out += '{';
  auto column = columns_.begin();
  for (const std::string_view text : texts) {
    if (is_csv) {
      out += column == columns_.begin() ? csv_quoted(text) : csv_field(text);
    } else {
      out.append("\"").append(*column).append("\":");
      add_json_text(out, text);
    }
    out += ',';
    ++column;
  }
  if (!is_csv) out.append("\"").append(*column).append("\":\"");
  return out;
}

void ListWriter::end(std::string& out, const std::optional<std::string>& next) const {
  switch (representation_) {
    case Representation::json:
      if (next) out.append("],\"next\":\"").append(*next).append("\"}\n");
      if (!next) out += "]}\n";
      return;
    case Representation::ndjson:
      out += fmt::format("{{\"end\":true,\"{}\":{}", list_, count_);
      out += next ? fmt::format(",\"next\":\"{}\"}}\n", *next) : "}\n";
      return;
    case Representation::csv:
      out += fmt::format("# end,{}\r\n", count_);
      return;
  }
}

}  // namespace dwell
