#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "kafka/topics/topic_names.h"

namespace dwell {

// The reason of what the store found in the cleaned topic and could not use.
inline constexpr std::string_view kNotCleaned = "not_cleaned";

// A record that was sent back so often is not sent again.
inline constexpr std::uint64_t kMostRedriven = 10;

struct RedriveOptions {
  TopicNames topics;
  std::string group = "dwell-clean";  // prefix of transactional ids and groups
  std::vector<Outcome> reasons;       // what is sent back
  bool sends_again = false;           // also what was redriven before
  std::size_t batch_records = 100'000;
  std::size_t batch_bytes = 16 << 20;
};

}  // namespace dwell
