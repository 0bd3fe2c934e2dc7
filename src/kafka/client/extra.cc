#include "kafka/client/extra.h"

#include <array>

#include "kafka/client/client.h"

namespace dwell {

bool takes_kafka_setting(const std::string& name, const std::string& value) {
  // It ends where librdkafka takes it to end.
  if (value.find('\0') != value.npos) return false;
  // It would load them.
  if (name == "plugin.library.paths") return true;
  const KafkaConf conf(rd_kafka_conf_new());
  std::array<char, 512> reason{};
  return rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), reason.data(), reason.size()) ==
         RD_KAFKA_CONF_OK;
}

}  // namespace dwell
