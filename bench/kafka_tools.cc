#include "kafka_tools.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <thread>

namespace bench {
namespace {

constexpr std::uint64_t kFirstMs = 1'577'836'800'000;  // 2020-01-01
constexpr std::chrono::milliseconds kPatience{10'000};
constexpr std::string_view kBeforeTime = R"("payload":{"timestamp":)";

// A topic that was just made has no leader for a moment.
template <typename Ask>
auto ask_until_answered(Ask ask) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    auto answer = ask();
    if (answer || std::chrono::steady_clock::now() > deadline) return must(std::move(answer));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace

void die(std::string_view why) {
  fmt::print(stderr, "{}\n", why);
  std::_Exit(1);
}

void must(rd_kafka_error_t* error) {
  if (error) die(rd_kafka_error_string(error));
}

void must(rd_kafka_resp_err_t code) {
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) die(rd_kafka_err2str(code));
}

std::unique_ptr<dwell::KafkaClient> make_client(rd_kafka_type_t type, const std::string& brokers,
                                                const dwell::KafkaSettings& settings) {
  dwell::KafkaOptions options;
  options.brokers = brokers;
  return must(dwell::KafkaClient::make(type, options, settings));
}

double monotonic_seconds() {
  return Seconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

dwell::KafkaList all_partitions(const dwell::KafkaClient& client, const std::string& topic,
                                From from) {
  const int count = ask_until_answered([&] { return client.partition_count(topic, kPatience); });
  dwell::KafkaList list(rd_kafka_topic_partition_list_new(count));
  for (int i = 0; i < count; ++i) {
    const auto offsets = ask_until_answered([&] { return client.offsets(topic, i, kPatience); });
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), i)->offset =
        from == From::beginning ? offsets.low : offsets.high;
  }
  return list;
}

std::string Event::device() const {
  return fmt::format("cam-{:06}", number % devices);
}

std::string Event::json() const {
  const bool is_enter = number / devices % 2 == 0;
  return fmt::format(R"({{"device_id": "cam-{:06}", "event_type": "{}", "timestamp": {}}})",
                     number % devices, is_enter ? "device_enter" : "device_exit",
                     kFirstMs + number);
}

std::uint64_t number_of(const rd_kafka_message_t& cleaned) {
  const std::string_view value(static_cast<const char*>(cleaned.payload), cleaned.len);
  const auto found = value.find(kBeforeTime);
  if (found == value.npos) die("a cleaned record has no timestamp");
  std::uint64_t ms = 0;
  const char* digits = value.data() + found + kBeforeTime.size();
  std::from_chars(digits, value.data() + value.size(), ms);
  return ms - kFirstMs;
}

Sender::Sender(const std::string& brokers, const std::string& topic)
    : client_(make_client(RD_KAFKA_PRODUCER, brokers,
                          {{"enable.idempotence", "true"},
                           {"compression.codec", "lz4"},
                           {"partitioner", "murmur2_random"},
                           {"linger.ms", "1"},
                           {"batch.num.messages", "100000"}})),
      topic_(rd_kafka_topic_new(client_->get(), topic.c_str(), nullptr)) {}

void Sender::send(std::string_view key, std::string_view value) {
  while (rd_kafka_produce(topic_.get(), RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
                          const_cast<char*>(value.data()), value.size(), key.data(), key.size(),
                          nullptr) != 0) {
    const auto code = rd_kafka_last_error();
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) must(code);
    rd_kafka_poll(client_->get(), 10);
  }
  rd_kafka_poll(client_->get(), 0);
}

void Sender::flush() {
  must(rd_kafka_flush(client_->get(), 60'000));
}

Reader::Reader(const std::string& brokers, const std::string& topic, From from)
    : client_(make_client(RD_KAFKA_CONSUMER, brokers,
                          {{"group.id", "bench-reader"},
                           {"enable.auto.commit", "false"},
                           {"isolation.level", "read_committed"},
                           {"enable.partition.eof", "true"}})) {
  rd_kafka_poll_set_consumer(client_->get());
  const auto list = all_partitions(*client_, topic, from);
  partitions_ = list->cnt;
  must(rd_kafka_assign(client_->get(), list.get()));
}

Message Reader::next(int wait_ms) {
  Message message(rd_kafka_consumer_poll(client_->get(), wait_ms));
  if (!message || message->err == RD_KAFKA_RESP_ERR_NO_ERROR) return message;
  if (message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) must(message->err);
  ++ends_;
  return nullptr;
}

}  // namespace bench
