// Any bytes as the body of a POST: refused, or each of its events either named as bad or a record
// that the decoder takes.
#include <string>

#include "base/check.h"
#include "core/decoder.h"
#include "http/events_body.h"

namespace dwell {
namespace {

constexpr Timestamp kNow = from_ms(1'751'932'800'000);

void fuzz(const std::string& bytes) {
  const auto body = parse_events_body(bytes);
  if (!body) {
    CHECK(body.error().kind == ErrorKind::invalid);
    return;
  }
  CHECK(body->good.size() == body->submission.ends.size());
  CHECK(body->good.size() + body->bad.size() == body->count);
  for (const BadEvent& bad : body->bad) CHECK(bad.index < body->count && !bad.detail.empty());

  Decoder decoder(ClockSource::event);
  std::size_t start = 0;
  for (std::size_t i = 0; i < body->good.size(); ++i) {
    CHECK(body->good[i] < body->count && (i == 0 || body->good[i] > body->good[i - 1]));
    const std::size_t end = body->submission.ends[i];
    CHECK(end > start && end <= body->submission.bytes.size());
    const auto record = std::string_view(body->submission.bytes).substr(start, end - start);
    const Outcome outcome = decoder.decode({.bytes = record, .now = kNow}).outcome;
    CHECK(outcome == Outcome::accepted || outcome == Outcome::ignored);
    start = end;
  }
  CHECK(start == body->submission.bytes.size());
}

}  // namespace
}  // namespace dwell

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  dwell::fuzz(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
