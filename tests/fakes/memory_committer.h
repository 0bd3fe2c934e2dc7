#pragma once

#include <memory>
#include <vector>

#include "ports/committer.h"
#include "tests/fakes/memory_store.h"

namespace dwell {

struct RejectBounds {
  Milliseconds max_age = std::chrono::days(30);
  std::uint64_t max_bytes = 64 << 20;  // of raw bytes, and 128 bytes a record on top
};

// A Committer over a MemoryStore that lives elsewhere, and whose plans say which calls fail. Calls
// the law forbids (commit before restore, or after unknown_outcome) fail a CHECK. One thread at a
// time.
class MemoryCommitter final : public Committer {
 public:
  // Errors as those of any committer: retry_later (somebody has the store), invalid (other order).
  static Result<std::unique_ptr<MemoryCommitter>> open(MemoryStore& store, Order order,
                                                       const RejectBounds& bounds = {});
  ~MemoryCommitter() override { store_.is_open = false; }

  Result<void> restore(std::span<Partition> partitions) override;
  Result<void> commit(std::span<const Partition> partitions) override;
  std::span<const std::uint32_t> known_late() const override { return known_late_; }

 private:
  MemoryCommitter(MemoryStore& store, const RejectBounds& bounds)
      : store_(store), bounds_(bounds) {}

  MemoryStore& store_;
  RejectBounds bounds_;
  std::vector<std::uint32_t> known_late_;
  bool may_commit_ = false;
};

}  // namespace dwell
