#pragma once

#include <string>

namespace dwell {

// Whether librdkafka has a setting of this name, and takes the value for it.
bool takes_kafka_setting(const std::string& name, const std::string& value);

}  // namespace dwell
