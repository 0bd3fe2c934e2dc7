#pragma once

#include "app/settings/config.h"
#include "kafka/client/kafka_options.h"

namespace dwell {

// What every client of the brokers is made with; what librdkafka warns of goes to the log.
KafkaOptions kafka_options(const Config& config);

// How a member of a group reads, but for topic, group and record_bytes.
KafkaSourceOptions source_options(const Config& config, const std::string& member);

// What the layout of the topics follows from, as configured.
TopicPlanOptions topic_plan_options(const Config& config);

}  // namespace dwell
