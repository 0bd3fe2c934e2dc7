#include "app/commands/topic_keys.h"

#include <algorithm>

#include "app/process/topic_settings.h"
#include "app/settings/kafka_options.h"
#include "core/decoder.h"
#include "kafka/client/kafka_source.h"
#include "kafka/client/range_reader.h"

namespace dwell {

Result<KeysSeen> look_at_keys(const Config& config, const TopicAdmin& admin, int partitions) {
  const auto& topic = config.topics.input;
  const auto offsets = admin.offsets(topic, partitions);
  if (!offsets) return pass(offsets);
  const auto share = std::max<Offset>(1, Offset{kMostLookedAt} / partitions);
  std::vector<OffsetRange> ranges;
  for (std::size_t i = 0; i < offsets->size(); ++i) {
    const auto& [low, high] = (*offsets)[i];
    ranges.push_back({static_cast<PartitionId>(i), std::max(low, high - share), high});
  }
  auto reader = RangeReader::open(kafka_options(config), config.group + "-look");
  if (!reader) return pass(reader);
  Decoder decoder(config.rule);
  KeysSeen seen;
  auto read = (*reader)->read(topic, ranges, [&](const RangeReader::Messages& all) -> Result<void> {
    decoder.reset();
    for (const rd_kafka_message_t* message : all) {
      const Record record = record_of(*message, config.limits.record_bytes);
      ++seen.records;
      const Decoded decoded = decoder.decode(record);
      const bool may_lack_key = partitions == 1;
      if (decoded.outcome != Outcome::accepted || (!record.key.data() && may_lack_key)) continue;
      if (record.key == decoded.event.device) continue;
      if (seen.miskeyed++ > 0) continue;
      seen.first = miskeyed_line(input_name(topic, message->partition), record.offset, record.key,
                                 decoded.event.device);
    }
    return {};
  });
  if (!read) return pass(read);
  return seen;
}

}  // namespace dwell
