#pragma once

#include <boost/asio/awaitable.hpp>
#include <vector>

#include "base/result.h"
#include "ports/intake.h"

namespace dwell {

// Knows when what was taken in can be read. One thread, that of the asker.
class Visibility {
 public:
  virtual ~Visibility() = default;

  // Returns when every answer given from now on counts the records at these places and before.
  // `places` outlives the wait. Errors: retry_later (it took too long, or what has to be asked is
  // away), invalid (there is no such place).
  virtual boost::asio::awaitable<Result<void>> wait_for(const std::vector<InputPlace>& places) = 0;
};

}  // namespace dwell
