#pragma once

#include <span>

#include "base/result.h"
#include "ports/partition.h"

namespace dwell {

// Told what the pipeline did, after it happened; cannot change it. Called on the pipeline's thread.
class Observer {
 public:
  virtual ~Observer() = default;

  virtual void polling() {}                      // what was read before is committed
  virtual void committed(const Unit& unit) = 0;  // `unit` is durable
  virtual void retrying(const Error& error, Milliseconds wait) = 0;
  virtual void recovered() {}  // what was tried again has worked
  // Partitions came and are restored.
  virtual void gained(std::span<const Partition> /*partitions*/) {}
  virtual void restored(const Error& cause) = 0;  // state and position went back to the last commit
};

}  // namespace dwell
