#pragma once

#include <cstdint>
#include <string>

#include "core/rule.h"
#include "file/file_source.h"
#include "http/server.h"
#include "live/intake_queue.h"

namespace dwell {

// The effective settings. Their names, ranges, defaults and meaning stand once, in settings.cc.
struct Config {
  std::string db_path = "dwell.db";
  std::uint64_t db_cache_bytes = 128 << 20;
  Rule rule;
  FileLimits limits;
  Milliseconds rejects_max_age = std::chrono::days(30);
  std::uint64_t rejects_max_bytes = 64 << 20;
  std::string http_listen = "127.0.0.1:8080";
  ServerLimits http_limits;
  IntakeLimits intake_limits;
};

}  // namespace dwell
