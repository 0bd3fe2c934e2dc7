#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/timestamp.h"

namespace dwell {

// What every client of a cluster is made with.
struct KafkaOptions {
  std::string brokers = "127.0.0.1:9092";  // HOST:PORT, several with commas
  std::vector<std::pair<std::string, std::string>>
      extra;  // any setting of librdkafka; the last word

  // What librdkafka has to say; on threads of its own. Severities as in syslog(3).
  std::function<void(int severity, std::string_view text)> on_log;
};

struct KafkaSourceOptions {
  std::string topic = "device-events";
  std::string group = "dwell-clean";
  std::string member;  // group.instance.id: the same at every start of the same process
  std::chrono::milliseconds session_timeout{10'000};
  std::size_t record_bytes = 1 << 20;  // a longer one is handed over cut
  bool needs_keys = false;             // a record without a key has an empty one, and not none
  // Whether a position goes on past what no reader sees (ends of transactions, what was aborted)
  // when the end of the partition is reached; a slice may then have no records.
  bool commits_ends = false;
  std::size_t ahead_bytes = 64 << 20;  // that the client reads ahead, and one answer more
  std::size_t batch_records = 100'000;
  std::size_t batch_bytes = 16 << 20;
  Milliseconds batch_time{100};  // how long a batch may collect while more keeps coming
  Milliseconds patience{100};    // how long poll() waits for the first record
};

}  // namespace dwell
