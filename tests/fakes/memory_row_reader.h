#pragma once

#include "ports/row_reader.h"
#include "tests/fakes/memory_store.h"

namespace dwell {

// A RowReader over a MemoryStore: the plainest answers there are, to compare others with.
class MemoryRowReader : public RowReader {
 public:
  explicit MemoryRowReader(const MemoryStore& store) : store_(store) {}

  boost::asio::awaitable<Result<void>> scan(const Scan& scan, ScanPage& page) override;
  boost::asio::awaitable<Result<std::unique_ptr<RowView>>> view(
      const DeviceRange& devices) override;

 private:
  const MemoryStore& store_;
};

}  // namespace dwell
