// bench_kafka_load BROKERS COMMAND ...: makes topics and fills them.
//
//   create NAME:PARTITIONS[:compact]...         topics
//   delete NAME...                              topics
//   fill TOPIC                                  events of `dwell generate` from standard input
//   send TOPIC DEVICES FIRST COUNT RATE         numbered events, RATE a second; 0: at full speed
//
// What is sent is keyed by its device.

#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "kafka_tools.h"

namespace {

using Arguments = std::span<char*>;

constexpr int kPatienceMs = 30'000;
constexpr std::size_t kIdAt = 15;  // {"device_id": "cam-000000", ...
constexpr std::size_t kIdSize = 10;

std::uint64_t count_of(std::string_view text) {
  std::uint64_t count = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), count);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) bench::die("not a count");
  return count;
}

using AdminQueue = dwell::KafkaHandle<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using NewTopic = dwell::KafkaHandle<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy>;
using DeleteTopic = dwell::KafkaHandle<rd_kafka_DeleteTopic_t, rd_kafka_DeleteTopic_destroy>;

// Dies unless every topic came out well.
void check(const rd_kafka_topic_result_t** results, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) bench::must(rd_kafka_topic_result_error(results[i]));
}

dwell::KafkaEvent answer(rd_kafka_queue_t* queue) {
  dwell::KafkaEvent event(rd_kafka_queue_poll(queue, kPatienceMs));
  if (!event) bench::die("the broker does not answer");
  bench::must(rd_kafka_event_error(event.get()));
  return event;
}

NewTopic new_topic(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == text.npos) bench::die("expected NAME:PARTITIONS[:compact]");
  const std::string name(text.substr(0, colon));
  auto partitions = text.substr(colon + 1);
  const bool is_compact = partitions.ends_with(":compact");
  if (is_compact) partitions.remove_suffix(std::strlen(":compact"));
  std::array<char, 256> reason{};
  NewTopic topic(rd_kafka_NewTopic_new(name.c_str(), static_cast<int>(count_of(partitions)), 1,
                                       reason.data(), reason.size()));
  if (!topic) bench::die(reason.data());
  if (is_compact) {
    // As `dwell topics create` makes it.
    for (const auto& [setting, value] :
         {std::pair{"cleanup.policy", "compact"}, std::pair{"segment.bytes", "67108864"},
          std::pair{"min.cleanable.dirty.ratio", "0.1"}}) {
      bench::must(rd_kafka_NewTopic_set_config(topic.get(), setting, value));
    }
  }
  return topic;
}

void create(const std::string& brokers, Arguments names) {
  const auto client = bench::make_client(RD_KAFKA_PRODUCER, brokers, {});
  const AdminQueue queue(rd_kafka_queue_new(client->get()));
  std::vector<NewTopic> topics;
  std::vector<rd_kafka_NewTopic_t*> handles;
  for (const char* name : names) handles.push_back(topics.emplace_back(new_topic(name)).get());
  rd_kafka_CreateTopics(client->get(), handles.data(), handles.size(), nullptr, queue.get());
  const auto event = answer(queue.get());
  std::size_t count = 0;
  const auto* result = rd_kafka_event_CreateTopics_result(event.get());
  check(rd_kafka_CreateTopics_result_topics(result, &count), count);
}

void remove(const std::string& brokers, Arguments names) {
  const auto client = bench::make_client(RD_KAFKA_PRODUCER, brokers, {});
  const AdminQueue queue(rd_kafka_queue_new(client->get()));
  std::vector<DeleteTopic> topics;
  std::vector<rd_kafka_DeleteTopic_t*> handles;
  for (const char* name : names) {
    handles.push_back(topics.emplace_back(rd_kafka_DeleteTopic_new(name)).get());
  }
  rd_kafka_DeleteTopics(client->get(), handles.data(), handles.size(), nullptr, queue.get());
  const auto event = answer(queue.get());
  std::size_t count = 0;
  const auto* result = rd_kafka_event_DeleteTopics_result(event.get());
  check(rd_kafka_DeleteTopics_result_topics(result, &count), count);
}

void fill(const std::string& brokers, const std::string& topic) {
  bench::Sender sender(brokers, topic);
  std::array<char, 256> line;
  while (std::fgets(line.data(), line.size(), stdin)) {
    std::string_view event(line.data());
    event.remove_suffix(1);
    if (event.size() < kIdAt + kIdSize) bench::die("a line is no event of `dwell generate`");
    sender.send(event.substr(kIdAt, kIdSize), event);
  }
  sender.flush();
}

void send(const std::string& brokers, Arguments arguments) {
  const std::uint64_t devices = count_of(arguments[1]), first = count_of(arguments[2]);
  const std::uint64_t count = count_of(arguments[3]), rate = count_of(arguments[4]);
  bench::Sender sender(brokers, arguments[0]);
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < count; ++i) {
    if (rate > 0) {
      const bench::Seconds due(static_cast<double>(i) / static_cast<double>(rate));
      std::this_thread::sleep_until(start + due);
    }
    sender.send({first + i, devices});
  }
  sender.flush();
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) bench::die("usage: bench_kafka_load BROKERS create|delete|fill|send ...");
  const std::string brokers = arguments[1];
  const std::string_view command = arguments[2];
  const Arguments rest(arguments + 3, static_cast<std::size_t>(count - 3));
  if (command == "create") {
    create(brokers, rest);
  } else if (command == "delete") {
    remove(brokers, rest);
  } else if (command == "fill" && rest.size() == 1) {
    fill(brokers, rest[0]);
  } else if (command == "send" && rest.size() == 5) {
    send(brokers, rest);
  } else {
    bench::die("expected create, delete, fill or send with their arguments");
  }
}
