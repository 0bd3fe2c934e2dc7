#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "kafka/client/client.h"

// What the bench programs that talk to Kafka share. They end with a message when anything fails.
namespace bench {

using Message = dwell::KafkaHandle<rd_kafka_message_t, rd_kafka_message_destroy>;
using Seconds = std::chrono::duration<double>;

[[noreturn]] void die(std::string_view why);
void must(rd_kafka_error_t* error);
void must(rd_kafka_resp_err_t code);

template <typename T>
T must(dwell::Result<T> result) {
  if (!result) die(result.error().message);
  return std::move(*result);
}

std::unique_ptr<dwell::KafkaClient> make_client(rd_kafka_type_t type, const std::string& brokers,
                                                const dwell::KafkaSettings& settings);

// Of the clock that time.monotonic() of Python reads as well.
double monotonic_seconds();

// The partitions of a topic with their offset: the first one, or the one after the last.
enum class From { beginning, end };
dwell::KafkaList all_partitions(const dwell::KafkaClient& client, const std::string& topic,
                                From from);

// The number-th event of a history in which every device enters in the first pass over all of them,
// exits in the second, and so on. Its time says its number.
struct Event {
  std::uint64_t number;
  std::uint64_t devices;

  std::string device() const;
  std::string json() const;
};

// The number of the event that became a cleaned record.
std::uint64_t number_of(const rd_kafka_message_t& cleaned);

// Sends records with the device id as their key. Not thread-safe.
class Sender {
 public:
  Sender(const std::string& brokers, const std::string& topic);

  void send(std::string_view key, std::string_view value);
  void send(const Event& event) { send(event.device(), event.json()); }
  // Waits until all are stored.
  void flush();

 private:
  std::unique_ptr<dwell::KafkaClient> client_;
  dwell::KafkaTopic topic_;
};

// Reads all partitions of a topic, committed transactions only. Not thread-safe.
class Reader {
 public:
  Reader(const std::string& brokers, const std::string& topic, From from);

  // The next record, or null when none came within `wait_ms`.
  Message next(int wait_ms);
  // Whether what was there at some time since the start was read to its end.
  bool is_at_end() const { return ends_ >= partitions_; }

 private:
  std::unique_ptr<dwell::KafkaClient> client_;
  int partitions_ = 0;
  int ends_ = 0;
};

}  // namespace bench
