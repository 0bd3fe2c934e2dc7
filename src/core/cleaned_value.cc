#include "core/cleaned_value.h"

#include <charconv>
#include <utility>

namespace dwell {
namespace {

constexpr std::string_view kHead =
    R"({"schema":{"type":"struct","name":"DeviceUpdate","fields":[)"
    R"({"field":"timestamp","type":"int64"},{"field":"device_id","type":"string"},)"
    R"({"field":"event_type","type":"string"}],"optional":false},"payload":{"timestamp":)";

// What a JSON string begins with for the beginning of `text`, and how many bytes that stands for. A
// device id has no control characters.
std::pair<std::string_view, std::size_t> escape_of(std::string_view text) {
  switch (text.front()) {
    case '"':
      return {R"(\")", 1};
    case '\\':
      return {R"(\\)", 1};
    case '<':
      return {R"(\u003c)", 1};
    case '>':
      return {R"(\u003e)", 1};
    case '&':
      return {R"(\u0026)", 1};
    default:
      if (text.starts_with("\u2028")) return {R"(\u2028)", 3};
      if (text.starts_with("\u2029")) return {R"(\u2029)", 3};
      return {text.substr(0, 1), 1};
  }
}

void append_escaped(std::string_view text, std::string& out) {
  for (;;) {
    const auto special = text.find_first_of("\"\\<>&\xe2");
    out.append(text.substr(0, special));
    if (special == text.npos) return;
    text.remove_prefix(special);
    const auto [escape, length] = escape_of(text);
    out += escape;
    text.remove_prefix(length);
  }
}

}  // namespace

void append_cleaned_value(std::string_view device, const Change& change, std::string& out) {
  out += kHead;
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, to_ms(change.timestamp)).ptr;
  out.append(digits, end);
  out += R"(,"device_id":")";
  append_escaped(device, out);
  out += R"(","event_type":")";
  out += wire_name(change.type);
  out += R"("}})";
}

}  // namespace dwell
