#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "app/settings/log_options.h"
#include "core/rule.h"
#include "file/file_limits.h"
#include "http/wire/server_limits.h"
#include "kafka/flow/committer_options.h"
#include "kafka/topics/topic_names.h"
#include "live/intake_limits.h"
#include "postgres/upkeep_options.h"

namespace dwell {

// The rule with the defaults that users get.
inline Rule usual_rule() {
  Rule rule;
  rule.order = Order::event_time;
  rule.time = kUsualTimes;
  return rule;
}

// The effective settings. Their names, ranges, defaults and meaning stand once, in settings.cc.
struct Config {
  // Where a value was found, by key: "dwell.toml:3", "environment DWELL_DB_PATH", "flag --db" or
  // "database dwell.db". Settings at their default are missing.
  std::map<std::string, std::string> places;

  bool is_default(const std::string& key) const { return !places.contains(key); }

  std::string db_path = "dwell.db";
  std::uint64_t db_cache_bytes = 128 << 20;
  Rule rule = usual_rule();
  FileLimits limits;
  Milliseconds rejects_max_age = std::chrono::days(30);
  std::uint64_t rejects_max_bytes = 64 << 20;
  std::string http_listen = "127.0.0.1:8080";
  ServerLimits http_limits;
  IntakeLimits intake_limits;

  std::string brokers = "127.0.0.1:9092";
  std::map<std::string, std::string> kafka_extra;  // settings of librdkafka by name
  TopicNames topics;
  PartitionedBy partitioned_by = PartitionedBy::automatic;
  KeyForm keys = KeyForm::as_is;
  std::string instance_id = "auto";
  std::string instance_folder = ".";
  std::string group = "dwell-clean";
  std::size_t clean_threads = 1;
  Milliseconds session_timeout = std::chrono::seconds(10);
  std::string clean_listen = "off";
  KafkaCommitterOptions committer;

  std::string database_url = "default";  // as libpq takes it
  bool database_migrate = true;
  UpkeepOptions upkeep;
  Milliseconds upkeep_every = std::chrono::hours(1);
  std::string store_group = "dwell-store";
  std::size_t store_threads = 1;
  std::string store_listen = "off";
  std::size_t serve_connections = 8;
  Milliseconds serve_timeout{5'000};

  bool names_devices = false;  // in telemetry
  Milliseconds stalled_after = std::chrono::minutes(1);
  LogOptions log;
};

}  // namespace dwell
