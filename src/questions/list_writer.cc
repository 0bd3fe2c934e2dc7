#include "questions/list_writer.h"

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

std::string json_quoted(std::string_view text) {
  return boost::json::serialize(boost::json::string_view(text.data(), text.size()));
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
  if (representation_ == Representation::json) out += fmt::format("{{{}\"{}\":[", members, list_);
  if (representation_ == Representation::csv) {
    out += fmt::format("{}\r\n", fmt::join(columns_, ","));
  }
}

std::string ListWriter::head(std::initializer_list<std::string_view> texts) const {
  CHECK(texts.size() + 1 == columns_.size());
  const bool is_csv = representation_ == Representation::csv;
  std::string out = is_csv ? "" : "{";
  auto column = columns_.begin();
  for (const std::string_view text : texts) {
    if (is_csv) {
      out += column == columns_.begin() ? csv_quoted(text) : csv_field(text);
      out += ',';
    } else {
      out += fmt::format("\"{}\":{},", *column, json_quoted(text));
    }
    ++column;
  }
  return is_csv ? out : out + fmt::format("\"{}\":\"", *column);
}

void ListWriter::add(std::string& out, std::string_view head, Timestamp time) {
  if (representation_ == Representation::json && count_ > 0) out += ',';
  out += head;
  times_.append(out, time);
  out += tail_;
  ++count_;
}

void ListWriter::end(std::string& out, const std::optional<std::string>& next) const {
  switch (representation_) {
    case Representation::json:
      out += next ? fmt::format("],\"next\":\"{}\"}}\n", *next) : "]}\n";
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
