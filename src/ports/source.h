#pragma once

#include <span>

#include "base/result.h"
#include "core/record.h"

namespace dwell {

// Some records, in order, and where each of their inputs goes on after them.
//
// The spans belong to the source and stay valid until its next poll() or seek(). A batch may hold
// no records and still move a position (blank lines), or nothing at all (nothing new yet).
struct Batch {
  std::span<const Record> records;
  std::span<const Position> positions;
  bool is_last = false;  // nothing will ever follow
};

// Where records come from. One thread at a time.
//
// Law: after seek(p), polling gives the records from p on, each exactly once, in order. A source
// decides only what is a record; what the record means is the decoder's business.
class Source {
 public:
  virtual ~Source() = default;

  // The next records, at most as many and as large as the source's own bounds say. With none there
  // it waits a moment for some before it returns an empty batch, so that polling in a loop is
  // cheap. Errors: retry_later (the same poll may work later), fatal (reading cannot go on).
  virtual Result<Batch> poll() = 0;

  // Goes to the committed position of this source's own inputs, or to their start where
  // `committed` has none. Errors: invalid (the input is not the one the position belongs to; the
  // message says how to go on), fatal (it cannot be sought).
  virtual Result<void> seek(std::span<const Position> committed) = 0;
};

}  // namespace dwell
