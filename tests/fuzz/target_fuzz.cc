// Any bytes as a request target: refused, or taken apart in a way that can be put together again;
// and as a cursor: refused, or the only text of what it says.
#include <fmt/format.h>
#include <string>

#include "base/check.h"
#include "http/api/cursor.h"
#include "http/api/negotiate.h"
#include "http/wire/parameters.h"
#include "http/wire/target.h"

namespace dwell {
namespace {

std::string encoded(std::string_view text) {
  std::string out;
  for (const char c : text) out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string encoded(const Target& target) {
  std::string out;
  for (const auto& segment : target.segments) out += '/' + encoded(segment);
  char separator = '?';
  for (const auto& [name, value] : target.parameters) {
    out += separator + encoded(name) + '=' + encoded(value);
    separator = '&';
  }
  return out;
}

void check_parameters(const Target& target) {
  Parameters parameters(target);
  const auto start = parameters.time("start", kEarliest);
  CHECK(in_range(start));
  const auto limit = parameters.limit();
  CHECK(!limit || (*limit >= 1 && *limit <= 10'000));
  parameters.choice("order", "asc", "desc");
  parameters.text("cursor");
  const auto problem = parameters.problem_found();
  CHECK(!problem || problem->status == Status::bad_request);
}

// A cursor's head is a hash, which random bytes never meet: `text` goes behind the head of a true
// one as well.
void check_cursor(const std::string& text) {
  constexpr std::string_view kFilter = "filter";
  const auto true_one = cursor_text(row_place({kEarliest, 0, EventType::enter, 0}), kFilter);
  constexpr std::size_t kHeadLetters = 12;  // whole bytes of version and hash
  for (const std::string& cursor : {text, true_one.substr(0, kHeadLetters) + text}) {
    const auto bytes = parse_cursor(cursor, kFilter);
    if (const auto row = bytes ? parse_row_place(*bytes) : std::nullopt) {
      CHECK(in_range(row->timestamp));
      CHECK(cursor_text(row_place(*row), kFilter) == cursor);
      CHECK(!parse_cursor(cursor, "another"));
    }
  }
  constexpr std::string_view kPresence = "presence";
  const auto true_place = cursor_text(presence_place({kEarliest, "a"}), kPresence);
  for (const std::string& cursor : {text, true_place.substr(0, kHeadLetters) + text}) {
    const auto bytes = parse_cursor(cursor, kPresence);
    if (const auto place = bytes ? parse_presence_place(*bytes) : std::nullopt) {
      CHECK(in_range(place->at));
      CHECK(!place->device.empty() && place->device.size() <= kLongestDeviceId);
      CHECK(cursor_text(presence_place(*place), kPresence) == cursor);
    }
  }
}

void fuzz(const std::string& bytes) {
  check_cursor(bytes);
  negotiate(bytes);
  const auto target = parse_target(bytes);
  if (!target) {
    CHECK(target.error().kind == ErrorKind::invalid);
    return;
  }
  CHECK(!target->segments.empty() && target->parameters.size() <= kMostParameters);
  const auto again = parse_target(encoded(*target));
  CHECK(again);
  CHECK(again->segments == target->segments);
  CHECK(again->parameters == target->parameters);
  check_parameters(*target);
  if (const auto* cursor = target->parameter("cursor")) check_cursor(*cursor);
}

}  // namespace
}  // namespace dwell

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  dwell::fuzz(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
