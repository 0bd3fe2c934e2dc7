#include "app/settings/kafka_options.h"

#include <spdlog/spdlog.h>

namespace dwell {
namespace {

constexpr int kWarning = 4;  // of syslog(3)

}  // namespace

KafkaOptions kafka_options(const Config& config) {
  KafkaOptions options;
  options.brokers = config.brokers;
  options.extra.assign(config.kafka_extra.begin(), config.kafka_extra.end());
  options.on_log = [](int severity, std::string_view text) {
    spdlog::log(severity <= kWarning ? spdlog::level::warn : spdlog::level::debug, "kafka: {}",
                text);
  };
  return options;
}

KafkaSourceOptions source_options(const Config& config, const std::string& member) {
  KafkaSourceOptions options;
  options.member = member;
  options.session_timeout = config.session_timeout;
  options.batch_records = config.limits.batch_records;
  options.batch_bytes = config.limits.batch_bytes;
  return options;
}

TopicPlanOptions topic_plan_options(const Config& config) {
  return {config.topics, config.partitioned_by, config.limits.record_bytes};
}

}  // namespace dwell
