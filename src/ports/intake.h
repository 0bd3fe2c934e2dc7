#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/event.h"

namespace dwell {

// Records on their way in from a client, one after the other in `bytes`.
struct Submission {
  std::string bytes;
  std::vector<std::size_t> ends;  // of each record in `bytes`; the next one begins there
};

// What became of a submission: one outcome for each record.
using SubmissionResult = Result<std::vector<Outcome>>;

// Takes records from clients. Any thread.
//
// Law: `done` is called exactly once, on any thread, and with a value only when the records are
// durable. On an error they may be stored all the same (unknown_outcome) or not (retry_later);
// sending them again is safe either way, the rule suppresses redeliveries.
class Intake {
 public:
  virtual ~Intake() = default;

  virtual void submit(Submission submission, std::function<void(SubmissionResult)> done) = 0;
};

}  // namespace dwell
