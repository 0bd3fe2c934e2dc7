#pragma once

#include "app/config.h"
#include "kafka/kafka_source.h"

namespace dwell {

// What every client of the brokers is made with; what librdkafka warns of goes to the log.
KafkaOptions kafka_options(const Config& config);

// How a member of a group reads, but for topic, group and record_bytes.
KafkaSourceOptions source_options(const Config& config, const std::string& member);

}  // namespace dwell
