// bench_kafka_watch BROKERS COMMAND ...: looks at what others write, committed transactions only.
// Prints JSON; times are seconds of the monotonic clock.
//
//   commits GROUP TOPIC             follows the group until it has committed all that is in TOPIC
//   count TOPIC                     how many records there are, and a sum that tells them apart
//   follow TOPIC                    a line for each time that records came, from now on, without
//   end latency INPUT OUTPUT DEVICES RATE SECONDS
//                                   sends numbered events to INPUT and waits for them at OUTPUT

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <fmt/format.h>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "kafka_tools.h"

namespace {

using bench::From;
using bench::monotonic_seconds;
using bench::Reader;
using bench::Seconds;

constexpr std::chrono::milliseconds kLook{5};
constexpr int kPatienceMs = 10'000;

std::int64_t sum_of(const rd_kafka_topic_partition_list_t& list) {
  std::int64_t sum = 0;
  for (int i = 0; i < list.cnt; ++i) sum += std::max<std::int64_t>(list.elems[i].offset, 0);
  return sum;
}

void print(const std::string& line) {
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

// The offsets of a topic that nobody writes to in transactions are its records, without gaps.
void commits(const std::string& brokers, const std::string& group, const std::string& topic) {
  // Of a transaction that is not over, the offsets of before it are told.
  const auto client = bench::make_client(
      RD_KAFKA_CONSUMER, brokers, {{"group.id", group}, {"isolation.level", "read_uncommitted"}});
  const auto all = bench::all_partitions(*client, topic, From::end);
  const std::int64_t wanted = sum_of(*all);
  std::int64_t first = 0;
  double first_at = 0;
  for (;; std::this_thread::sleep_for(kLook)) {
    const dwell::KafkaList list(rd_kafka_topic_partition_list_copy(all.get()));
    bench::must(rd_kafka_committed(client->get(), list.get(), kPatienceMs));
    const double now = monotonic_seconds();
    const std::int64_t committed = sum_of(*list);
    if (committed == 0) continue;
    if (first == 0) {
      first = committed;
      first_at = now;
    }
    if (committed >= wanted) {
      print(fmt::format(R"({{"first":{},"first_at":{:.4f},"last":{},"last_at":{:.4f}}})", first,
                        first_at, committed, now));
      return;
    }
  }
}

void count(const std::string& brokers, const std::string& topic) {
  Reader reader(brokers, topic, From::beginning);
  std::uint64_t records = 0, sum = 0;
  while (!reader.is_at_end()) {
    const auto message = reader.next(kPatienceMs);
    if (!message) continue;
    ++records;
    const std::string_view key(static_cast<const char*>(message->key), message->key_len);
    const std::string_view value(static_cast<const char*>(message->payload), message->len);
    // Order does not matter, partitions have none among each other.
    sum += std::hash<std::string_view>()(key) * 31 + std::hash<std::string_view>()(value);
  }
  print(fmt::format(R"({{"records":{},"sum":"{:016x}"}})", records, sum));
}

void follow(const std::string& brokers, const std::string& topic) {
  Reader reader(brokers, topic, From::end);
  print("{\"is_ready\":true}\n");
  for (;;) {
    auto message = reader.next(1'000);
    if (!message) continue;
    const double now = monotonic_seconds();
    const std::uint64_t first = bench::number_of(*message);
    std::uint64_t last = first;
    bool is_in_order = true;
    while ((message = reader.next(0))) {
      const std::uint64_t number = bench::number_of(*message);
      is_in_order &= number == last + 1;
      last = number;
    }
    print(fmt::format("{{\"at\":{:.4f},\"first\":{},\"last\":{},\"is_in_order\":{}}}\n", now, first,
                      last, is_in_order));
  }
}

// Events on their way: sent by one thread, received by another.
class Race {
 public:
  static constexpr int kSlowRate = 100;  // until the first event came through
  static constexpr Seconds kWarm{5};
  static constexpr Seconds kRest{5};  // for the last ones to come

  Race(std::uint64_t devices, std::uint64_t rate, Seconds duration)
      : devices_(devices), rate_(rate), duration_(duration), sent_at_(most()) {}

  void send(bench::Sender& sender) {
    double due = monotonic_seconds();
    double end = 0;
    for (std::uint64_t number = 0; number < sent_at_.size(); ++number) {
      const bool is_warming = has_come_;
      if (is_warming && end == 0) {
        const double now = monotonic_seconds();
        counts_from_ = now + kWarm.count();
        end = counts_from_ + duration_.count();
      }
      due += 1.0 / (is_warming ? static_cast<double>(rate_) : kSlowRate);
      std::this_thread::sleep_for(Seconds(due - monotonic_seconds()));
      const bench::Event event{number, devices_};
      sent_at_[number].store(monotonic_seconds(), std::memory_order_release);
      if (end > 0 && monotonic_seconds() >= end) break;
      sender.send(event);
      sent_ = number + 1;
    }
    sender.flush();
    is_over_ = true;
  }

  void receive(Reader& reader) {
    double last_came = monotonic_seconds();
    while (!is_over_ || (received_ < sent_ && monotonic_seconds() - last_came < kRest.count())) {
      const auto message = reader.next(100);
      if (!message) continue;
      last_came = monotonic_seconds();
      const std::uint64_t number = bench::number_of(*message);
      if (number >= sent_at_.size()) continue;  // an event of somebody else
      is_in_order_ &= number == received_;
      ++received_;
      has_come_ = true;
      const double sent_at = sent_at_.at(number).load(std::memory_order_acquire);
      if (counts_from_ > 0 && sent_at >= counts_from_) delays_.push_back(last_came - sent_at);
    }
  }

  std::string report() {
    if (delays_.empty()) bench::die("nothing came through");
    std::sort(delays_.begin(), delays_.end());
    const auto ms = [&](double share) {
      return 1e3 * delays_[static_cast<std::size_t>(share * static_cast<double>(delays_.size()))];
    };
    return fmt::format(
        R"({{"sent":{},"received":{},"is_in_order":{},"p50_ms":{:.3f},"p99_ms":{:.3f}}})",
        sent_.load(), received_, is_in_order_, ms(0.5), ms(0.99));
  }

 private:
  std::size_t most() const {
    const double seconds = (duration_ + kWarm + kRest).count();
    return static_cast<std::size_t>(seconds * static_cast<double>(rate_)) + 60 * kSlowRate;
  }

  const std::uint64_t devices_;
  const std::uint64_t rate_;
  const Seconds duration_;
  std::vector<std::atomic<double>> sent_at_;  // by number
  std::atomic<std::uint64_t> sent_{0};
  std::atomic<bool> has_come_{false};
  std::atomic<double> counts_from_{0};
  std::atomic<bool> is_over_{false};

  // Of the receiving thread.
  std::uint64_t received_ = 0;
  bool is_in_order_ = true;
  std::vector<double> delays_;
};

std::uint64_t count_of(std::string_view text) {
  std::uint64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  if (count == 0) bench::die("expected a count above 0");
  return count;
}

void latency(const std::string& brokers, char** arguments) {
  Reader reader(brokers, arguments[1], From::end);
  bench::Sender sender(brokers, arguments[0]);
  Race race(count_of(arguments[2]), count_of(arguments[3]), Seconds(count_of(arguments[4])));
  {
    const std::jthread sending([&] { race.send(sender); });
    race.receive(reader);
  }
  print(race.report());
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count < 4) {
    bench::die("usage: bench_kafka_watch BROKERS commits|count|follow|latency ...");
  }
  const std::string brokers = arguments[1];
  const std::string_view command = arguments[2];
  const int rest = argument_count - 3;
  if (command == "commits" && rest == 2) {
    commits(brokers, arguments[3], arguments[4]);
  } else if (command == "count" && rest == 1) {
    count(brokers, arguments[3]);
  } else if (command == "follow" && rest == 1) {
    follow(brokers, arguments[3]);
  } else if (command == "latency" && rest == 5) {
    latency(brokers, arguments + 3);
  } else {
    bench::die("expected commits, count, follow or latency with their arguments");
  }
}
