#include "kafka/topics/topic_facts.h"

#include <array>
#include <charconv>
#include <chrono>

#include "base/byte_reader.h"
#include "base/varint.h"
#include "core/rule.h"
#include "kafka/client/range_reader.h"

namespace dwell {
namespace {

constexpr std::string_view kKnows = "-rule";  // between the name of a member and the version
constexpr unsigned char kFactsVersion = 1;
constexpr PartitionId kPartition = 0;
constexpr std::size_t kMostSettings = 100;
constexpr std::size_t kLongestText = 10'000;
constexpr std::chrono::milliseconds kFactsPatience{10'000};

}  // namespace

std::string member_with_rule(std::string_view member) {
  return fmt::format("{}{}{}", member, kKnows, kRuleVersion);
}

std::uint32_t rule_of_member(std::string_view name) {
  constexpr std::uint32_t kFirst = 1;
  const auto at = name.rfind(kKnows);
  if (at == std::string_view::npos) return kFirst;
  const char* const end = name.data() + name.size();
  std::uint32_t version = 0;
  const auto [rest, error] = std::from_chars(name.data() + at + kKnows.size(), end, version);
  return error == std::errc{} && rest == end ? version : kFirst;
}

void encode_facts(const TopicFacts& facts, std::string& out) {
  out.push_back(static_cast<char>(kFactsVersion));
  put_varint(out, facts.rule_version);
  put_varint(out, facts.settings.size());
  for (const auto& [key, value] : facts.settings) {
    put_text(out, key);
    put_text(out, value);
  }
}

Result<TopicFacts> decode_facts(std::string_view record) {
  ByteReader reader(record);
  const auto version = reader.byte();
  if (reader.is_sound() && version != kFactsVersion) {
    return fail(ErrorKind::fatal,
                "the record of facts has version {}, this binary reads version {}: use the release "
                "that wrote it",
                version, kFactsVersion);
  }
  TopicFacts facts;
  facts.rule_version = static_cast<std::uint32_t>(reader.number(UINT32_MAX));
  const auto count = reader.number(kMostSettings);
  for (std::uint64_t i = 0; i < count && reader.is_sound(); ++i) {
    std::string key(reader.text(kLongestText));
    facts.settings[std::move(key)] = reader.text(kLongestText);
  }
  if (!reader.is_complete()) return fail(ErrorKind::fatal, "the record of facts is damaged");
  return facts;
}

Result<std::optional<TopicFacts>> read_facts(const KafkaOptions& kafka, const std::string& topic) {
  std::optional<TopicFacts> facts;
  auto reader = RangeReader::open(kafka, "dwell-facts");
  if (!reader) return pass(reader);
  // Of a topic that is missing it tells apart that nobody knows yet.
  const auto partitions = (*reader)->client().partition_count(topic, kFactsPatience);
  if (!partitions) return pass(partitions);
  const auto offsets = (*reader)->client().offsets(topic, kPartition, kFactsPatience);
  if (!offsets) return pass(offsets);
  // An error ends the reading: the record is the only one of its key.
  constexpr std::string_view kFound = "found";
  const OffsetRange all{kPartition, offsets->low, kEndOfLog};
  auto read =
      (*reader)->read(topic, {&all, 1}, [&](const RangeReader::Messages& messages) -> Result<void> {
        for (const rd_kafka_message_t* message : messages) {
          if (bytes_of(message->key, message->key_len) != kFactsKey) continue;
          auto decoded = decode_facts(bytes_of(message->payload, message->len));
          if (!decoded) {
            return fail(decoded.error().kind, "{}/{} offset {}: {}", topic, message->partition,
                        message->offset, decoded.error().message);
          }
          facts = std::move(*decoded);
          return fail(ErrorKind::not_found, "{}", kFound);
        }
        return {};
      });
  if (!read && !facts) return pass(read);
  return facts;
}

Result<Offset> write_facts(const KafkaOptions& kafka, const std::string& topic,
                           const TopicFacts& facts) {
  const auto patience = std::to_string(kFactsPatience.count());
  auto client = KafkaClient::make(RD_KAFKA_PRODUCER, kafka,
                                  {{"enable.idempotence", "true"},
                                   {"acks", "all"},
                                   {"linger.ms", "0"},
                                   {"message.timeout.ms", patience}},
                                  RD_KAFKA_EVENT_DR);
  if (!client) return pass(client);
  std::string value;
  encode_facts(facts, value);
  const auto code = rd_kafka_producev((*client)->get(), RD_KAFKA_V_TOPIC(topic.c_str()),
                                      RD_KAFKA_V_PARTITION(kPartition),
                                      RD_KAFKA_V_KEY(kFactsKey.data(), kFactsKey.size()),
                                      RD_KAFKA_V_VALUE(value.data(), value.size()),
                                      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return (*client)->failure(code, topic);
  const KafkaQueue queue(rd_kafka_queue_get_main((*client)->get()));
  const auto deadline = std::chrono::steady_clock::now() + 2 * kFactsPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    const KafkaEvent event(rd_kafka_queue_poll(queue.get(), 100));
    if (rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_DR) continue;
    const rd_kafka_message_t* message = rd_kafka_event_message_next(event.get());
    if (!message) continue;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) return (*client)->failure(message->err, topic);
    return Offset{message->offset};
  }
  return fail(ErrorKind::retry_later, "{}: the broker acknowledges nothing", topic);
}

}  // namespace dwell
