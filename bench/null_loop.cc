// bench_null_loop BROKERS INPUT OUTPUT GROUP: the floor under `dwell clean`. An exactly-once loop
// on plain librdkafka that turns each record of INPUT into the record that `dwell clean` writes for
// it, and neither parses nor decides: what it needs stands at fixed places. Runs until it is
// killed.
//
// Settings of the clients, limits of a batch, and two producers in turns as in src/kafka.

#include <array>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/varint.h"
#include "kafka_tools.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatchRecords = 100'000;
constexpr std::size_t kBatchBytes = 16 << 20;
constexpr std::chrono::milliseconds kBatchTime{100};
constexpr int kWaitMs = 100;
constexpr int kTimeoutMs = 10'000;

// {"device_id": "cam-000000", "event_type": "device_enter", "timestamp": 1577836800000}
constexpr std::size_t kIdAt = 15;
constexpr std::size_t kIdSize = 10;
constexpr std::size_t kTypeAt = 43;
constexpr std::size_t kTimeSize = 13;

constexpr std::string_view kBeforeTime =
    R"({"schema":{"type":"struct","name":"DeviceUpdate","fields":[)"
    R"({"field":"timestamp","type":"int64"},{"field":"device_id","type":"string"},)"
    R"({"field":"event_type","type":"string"}],"optional":false},"payload":{"timestamp":)";
constexpr std::string_view kBeforeId = R"(,"device_id":")";
constexpr std::string_view kBeforeType = R"(","event_type":")";
constexpr std::string_view kEnd = R"("}})";

struct Producer {
  std::unique_ptr<dwell::KafkaClient> client;
  dwell::KafkaTopic topic;
};

Producer make_producer(const std::string& brokers, const std::string& topic,
                       const std::string& id) {
  Producer producer{bench::make_client(RD_KAFKA_PRODUCER, brokers,
                                       {{"transactional.id", id},
                                        {"transaction.timeout.ms", "10000"},
                                        {"retry.backoff.ms", "1"},
                                        {"linger.ms", "50"},
                                        {"compression.codec", "lz4"},
                                        {"queue.buffering.max.messages", "1000000"},
                                        {"queue.buffering.max.kbytes", "1048576"},
                                        {"batch.num.messages", "100000"}}),
                    nullptr};
  bench::must(rd_kafka_init_transactions(producer.client->get(), kTimeoutMs));
  producer.topic.reset(rd_kafka_topic_new(producer.client->get(), topic.c_str(), nullptr));
  return producer;
}

std::unique_ptr<dwell::KafkaClient> make_consumer(const std::string& brokers,
                                                  const std::string& topic,
                                                  const std::string& group) {
  auto consumer = bench::make_client(RD_KAFKA_CONSUMER, brokers,
                                     {{"group.id", group},
                                      {"enable.auto.commit", "false"},
                                      {"enable.auto.offset.store", "false"},
                                      {"auto.offset.reset", "earliest"},
                                      {"isolation.level", "read_committed"},
                                      {"fetch.wait.max.ms", "100"},
                                      {"queued.min.messages", "50000"},
                                      {"fetch.message.max.bytes", "1048576"},
                                      {"topic.metadata.refresh.interval.ms", "50"}});
  rd_kafka_poll_set_consumer(consumer->get());
  const dwell::KafkaList topics(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  bench::must(rd_kafka_subscribe(consumer->get(), topics.get()));
  return consumer;
}

void take_batch(rd_kafka_t* consumer, std::vector<bench::Message>& batch) {
  batch.clear();
  std::size_t bytes = 0;
  int wait = kWaitMs;
  const auto start = Clock::now();
  while (batch.size() < kBatchRecords && bytes < kBatchBytes) {
    bench::Message message(rd_kafka_consumer_poll(consumer, wait));
    if (!message) return;
    bench::must(message->err);
    bytes += message->len;
    batch.push_back(std::move(message));
    wait = 0;
    if (batch.size() % 1'000 == 0 && Clock::now() - start > kBatchTime) return;
  }
}

void fill_value(std::string_view event, std::string& value) {
  const bool is_enter = event[kTypeAt + 8] == 'n';
  const std::string_view type = event.substr(kTypeAt, is_enter ? 12 : 11);
  value.assign(kBeforeTime);
  value += event.substr(event.size() - 1 - kTimeSize, kTimeSize);
  value += kBeforeId;
  value += event.substr(kIdAt, kIdSize);
  value += kBeforeType;
  value += type;
  value += kEnd;
}

void produce(const Producer& producer, const rd_kafka_message_t& message, std::string& value,
             std::string& source) {
  const std::string_view event(static_cast<const char*>(message.payload), message.len);
  const std::string_view id = event.substr(kIdAt, kIdSize);
  fill_value(event, value);
  source.clear();
  dwell::put_varint(source, static_cast<std::uint64_t>(message.partition));
  dwell::put_varint(source, static_cast<std::uint64_t>(message.offset));
  rd_kafka_headers_t* headers = rd_kafka_headers_new(3);
  rd_kafka_header_add(headers, "seq", 3, "12", 2);
  rd_kafka_header_add(headers, "rank", 4, "0", 1);
  rd_kafka_header_add(headers, "source", 6, source.data(), static_cast<ssize_t>(source.size()));
  for (;;) {
    const auto code = rd_kafka_producev(
        producer.client->get(), RD_KAFKA_V_RKT(producer.topic.get()),
        RD_KAFKA_V_PARTITION(message.partition), RD_KAFKA_V_KEY(id.data(), id.size()),
        RD_KAFKA_V_VALUE(value.data(), value.size()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return;
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) bench::must(code);
    rd_kafka_poll(producer.client->get(), 10);
  }
}

void commit(const Producer& producer, rd_kafka_t* consumer, const std::string& topic,
            const std::vector<bench::Message>& batch) {
  std::map<std::int32_t, std::int64_t> next;
  for (const auto& message : batch) next[message->partition] = message->offset + 1;
  const dwell::KafkaList offsets(rd_kafka_topic_partition_list_new(static_cast<int>(next.size())));
  for (const auto& [partition, offset] : next) {
    rd_kafka_topic_partition_list_add(offsets.get(), topic.c_str(), partition)->offset = offset;
  }
  rd_kafka_t* handle = producer.client->get();
  const dwell::KafkaGroup group(rd_kafka_consumer_group_metadata(consumer));
  bench::must(rd_kafka_send_offsets_to_transaction(handle, offsets.get(), group.get(), kTimeoutMs));
  bench::must(rd_kafka_commit_transaction(handle, kTimeoutMs));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) bench::die("usage: bench_null_loop BROKERS INPUT OUTPUT GROUP");
  const std::string brokers = arguments[1], input = arguments[2], group = arguments[4];
  const std::array<Producer, 2> producers{make_producer(brokers, arguments[3], group + "-0"),
                                          make_producer(brokers, arguments[3], group + "-1")};
  const auto consumer = make_consumer(brokers, input, group);
  std::vector<bench::Message> batch;
  std::string value, source;
  for (std::size_t turn = 0;;) {
    take_batch(consumer->get(), batch);
    if (batch.empty()) continue;
    const Producer& producer = producers[turn];
    bench::must(rd_kafka_begin_transaction(producer.client->get()));
    for (const auto& message : batch) produce(producer, *message, value, source);
    commit(producer, consumer->get(), input, batch);
    turn = 1 - turn;
  }
}
