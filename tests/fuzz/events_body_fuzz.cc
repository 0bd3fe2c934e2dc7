// Any bytes as the body of a POST: refused, or each of its events either named as bad or a record
// that the decoder takes; and the same in whatever pieces they come.
#include <algorithm>
#include <string>

#include "base/check.h"
#include "core/decoder.h"
#include "tests/http/whole_body.h"

namespace dwell {
namespace {

Outcome decode(Decoder& decoder, std::string_view record) {
  return decoder.decode({.bytes = record, .now = kPostedAt, .is_documented_form = true}).outcome;
}

// In pieces of 1 to `longest` bytes. Each stands alone in memory, so that reading past it is seen.
Result<EventsBody> read_in_pieces(std::string_view bytes, BodyForm form, std::size_t longest) {
  auto reader = reader_of_events(form);
  for (std::size_t size = 1; !bytes.empty(); size = size % longest + 1) {
    const std::string piece(bytes.substr(0, size));
    reader.add({piece.data(), piece.size()});
    bytes.remove_prefix(piece.size());
  }
  return reader.finish();
}

void check_equal(const Result<EventsBody>& whole, const Result<EventsBody>& pieces) {
  CHECK(whole.has_value() == pieces.has_value());
  if (!whole) return;
  CHECK(whole->count == pieces->count && whole->good == pieces->good);
  CHECK(whole->submission.bytes == pieces->submission.bytes);
  CHECK(whole->submission.ends == pieces->submission.ends);
  CHECK(whole->submission.devices == pieces->submission.devices);
  CHECK(std::equal(whole->bad.begin(), whole->bad.end(), pieces->bad.begin(), pieces->bad.end(),
                   [](const BadEvent& a, const BadEvent& b) {
                     return a.index == b.index && a.member == b.member && a.detail == b.detail;
                   }));
}

void fuzz(const std::string& bytes, BodyForm form) {
  const auto body = parse_events_body(bytes, form);
  for (const std::size_t longest : {1, 7}) check_equal(body, read_in_pieces(bytes, form, longest));
  if (!body) {
    CHECK(body.error().kind == ErrorKind::invalid);
    return;
  }
  CHECK(body->good.size() == body->submission.ends.size());
  CHECK(body->bad.size() == std::min(body->count - body->good.size(), kMostBadEvents));
  for (const BadEvent& bad : body->bad) CHECK(bad.index < body->count && !bad.detail.empty());

  Decoder decoder{posting_rule()};
  std::size_t start = 0;
  for (std::size_t i = 0; i < body->good.size(); ++i) {
    CHECK(body->good[i] < body->count && (i == 0 || body->good[i] > body->good[i - 1]));
    const std::size_t end = body->submission.ends[i];
    CHECK(end > start && end <= body->submission.bytes.size());
    const auto record = std::string_view(body->submission.bytes).substr(start, end - start);
    const Outcome outcome = decode(decoder, record);
    CHECK(outcome == Outcome::accepted || outcome == Outcome::ignored ||
          outcome == Outcome::past_timestamp);
    start = end;
  }
  CHECK(start == body->submission.bytes.size());
}

}  // namespace
}  // namespace dwell

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  for (const auto form : {dwell::BodyForm::json, dwell::BodyForm::lines}) dwell::fuzz(bytes, form);
  return 0;
}
