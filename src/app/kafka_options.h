#pragma once

#include "app/config.h"
#include "kafka/client.h"

namespace dwell {

// What every client of the brokers is made with; what librdkafka warns of goes to the log.
KafkaOptions kafka_options(const Config& config);

}  // namespace dwell
