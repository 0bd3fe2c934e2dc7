#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/event.h"
#include "core/record.h"

namespace dwell {

// Records on their way in from a client, one after the other in `bytes`.
struct Submission {
  std::string bytes;
  std::vector<std::size_t> ends;  // of each record in `bytes`; the next one begins there
  std::string devices;            // their device ids, in the same way
  std::vector<std::size_t> device_ends;
  std::string traceparent = {};  // of the request they came with, of W3C Trace Context
  std::string tracestate = {};
  bool is_traced = false;  // that request's own span is recorded
};

// The place of a record in the input.
struct InputPlace {
  PartitionId partition;
  Offset offset;

  friend bool operator==(const InputPlace&, const InputPlace&) = default;
};

// What became of a submission.
struct Submitted {
  std::vector<Outcome> outcomes = {};          // of each record, where the rule has decided
  std::vector<std::uint32_t> known_late = {};  // of those too_late, indices: the rows show them
  std::vector<InputPlace> places = {};  // where it decides later: the last record of each partition
};
using SubmissionResult = Result<Submitted>;

// What an intake holds: records that are not durable yet.
struct IntakeLoad {
  std::size_t records = 0;
  std::size_t bytes = 0;
};

// Takes records from clients. Any thread.
//
// Law: `done` is called exactly once, on any thread, and with a value only when the records are
// durable. On an error they may be stored all the same (unknown_outcome) or not (retry_later, and
// invalid: sent again, they are refused again); sent again, no row is stored twice either way.
class Intake {
 public:
  virtual ~Intake() = default;

  virtual void submit(Submission submission, std::function<void(SubmissionResult)> done) = 0;
  virtual IntakeLoad load() const { return {}; }
};

}  // namespace dwell
