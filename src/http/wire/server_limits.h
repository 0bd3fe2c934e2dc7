#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace dwell {

struct ServerLimits {
  std::size_t header_bytes = 16 * 1024;
  std::size_t framing_bytes = 64 * 1024;  // chunk heads beyond the shortest, extensions, trailers
  std::size_t body_bytes = 16 << 20;
  std::size_t body_bytes_in_all = 256 << 20;  // being received at one time, or held of them
  std::size_t connections = 20'000;
  std::chrono::milliseconds idle{75'000};   // between requests of one connection
  std::chrono::milliseconds head{15'000};   // for a whole head, from its first byte
  std::chrono::milliseconds body{60'000};   // for a whole body
  std::chrono::milliseconds write{60'000};  // for one piece of a response
  std::chrono::milliseconds linger{2'000};  // for what a refused client still sends
  std::vector<std::string> hosts;           // names clients may call it by, see KnownHosts
};

}  // namespace dwell
