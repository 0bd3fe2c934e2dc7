#pragma once

#include <span>

#include "base/result.h"
#include "core/record.h"

namespace dwell {

// Some records of one partition, in order, and where each of their inputs goes on after them. It
// may hold no records and still move a position (blank lines).
struct Slice {
  PartitionId partition = 0;
  std::span<const Record> records;
  std::span<const Position> positions;
};

// Where a partition goes on.
struct PartitionNext {
  PartitionId partition = 0;
  Offset next = 0;
  Timestamp last = {};  // when about the record before it was received; zero: none was read
};

// What is new: at most one slice a partition, or none at all (nothing new yet).
//
// The spans belong to the source and stay valid until its next poll() or seek(). Partitions that
// come and go are told in a batch without slices: those lost are this process's own until the next
// poll(), unless `were_taken`; those gained give nothing before seek().
struct Batch {
  std::span<const Slice> slices;
  bool is_last = false;  // nothing will ever follow
  std::span<const PartitionId> lost = {};
  std::span<const PartitionId> gained = {};
  bool were_taken = false;  // somebody else may own those lost already
  // Of a source whose partitions come from a group.
  bool has_joined = false;  // the group has said which partitions are this source's, if any
  bool is_at_end = false;   // every partition is read to its end, as far as that was told
  std::span<const PartitionNext> nexts = {};  // behind this batch, of every partition

  // Of a source with one partition: what there is, an empty slice when there is nothing.
  Slice single() const { return slices.empty() ? Slice{} : slices.front(); }
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

  // Goes to the committed position of this source's own inputs in `partition`, or to their start
  // where `committed` has none. Errors: invalid (the input is not the one the position belongs to;
  // the message says how to go on), fatal (it cannot be sought).
  virtual Result<void> seek(PartitionId partition, std::span<const Position> committed) = 0;
};

}  // namespace dwell
