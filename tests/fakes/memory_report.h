#pragma once

#include "ports/store_report.h"
#include "tests/fakes/memory_store.h"

namespace dwell {

// The rejected records and totals of a MemoryStore.
class MemoryReport final : public StoreReport {
 public:
  explicit MemoryReport(const MemoryStore& store) : store_(store) {}

  Result<std::vector<RejectedRecord>> rejected(const RejectedQuery& query) override;
  Result<StoreTotals> totals() override;

 private:
  const MemoryStore& store_;
};

}  // namespace dwell
