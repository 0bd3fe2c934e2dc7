#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <functional>
#include <limits>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <thread>
#include <unistd.h>
#include <zlib.h>

#include "app/commands.h"
#include "app/kafka_options.h"
#include "app/log.h"
#include "app/store.h"
#include "app/system_clock.h"
#include "app/terminal.h"
#include "app/units.h"
#include "base/file_lock.h"
#include "kafka/kafka_committer.h"
#include "kafka/kafka_source.h"
#include "kafka/key_hop.h"
#include "pipeline/pipeline.h"

namespace dwell {
namespace {

constexpr Milliseconds kForEver = std::chrono::days(36'500);
constexpr Milliseconds kFirstWait{200};  // before joining again
constexpr Milliseconds kLongestWait{5'000};
constexpr Milliseconds kWasWell{30'000};               // a membership that lasted so long
constexpr std::chrono::milliseconds kPatience{5'000};  // for an answer of the brokers
constexpr std::size_t kWhole = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kLongestMessage = 256 << 20;
constexpr std::uint64_t kNamedBreaches = 10;
constexpr std::size_t kShownKey = 40;  // columns

class CleanObserver final : public Observer {
 public:
  void committed(const Unit& unit) override {
    for (const std::uint32_t record : unit.miskeyed) tell_breach(unit, unit.records[record]);
    if (!is_well_) spdlog::info("committing again");
    is_well_ = true;
  }
  void retrying(const Error& error, Milliseconds wait) override {
    if (is_well_) spdlog::warn("{}; trying again every {}", error.message, format_duration(wait));
    is_well_ = false;
  }
  void gained(std::span<const Partition> partitions) override {
    for (const Partition& partition : partitions) {
      spdlog::info("partition {}: ready at offset {} with {} devices", partition.id,
                   partition.positions.empty() ? 0 : partition.positions[0].next,
                   partition.fold.device_count());
    }
  }
  void restored(const Error& cause) override {
    spdlog::warn("{}; went back to the last commit", cause.message);
  }

 private:
  void tell_breach(const Unit& unit, const Record& record) {
    if (++breaches_ > kNamedBreaches) return;
    spdlog::warn(
        "{} offset {}: its key is {}, which is not its device id: the records of a device may be "
        "in "
        "several partitions; set input.partitioned_by = none{}",
        unit.positions[record.source].source, record.offset,
        record.key.empty() ? "empty" : printable(record.key, kShownKey),
        breaches_ == kNamedBreaches ? "; not telling of others" : "");
  }

  bool is_well_ = true;
  std::uint64_t breaches_ = 0;
};

// Whether the rule reads the input itself, or what a hop made of it.
struct Plan {
  bool has_hop;
  int partitions;
};

Result<Plan> make_plan(const Config& config) {
  auto client = KafkaClient::make(RD_KAFKA_PRODUCER, kafka_options(config), {});
  if (!client) return pass(client);
  const auto count = (*client)->partition_count(config.topics.input, kPatience);
  if (!count) return Failure(count.error());
  using By = Config::PartitionedBy;
  const bool is_by_device = config.partitioned_by == By::device ||
                            (config.partitioned_by == By::automatic && *count == 1);
  return Plan{!is_by_device, *count};
}

KafkaSourceOptions source_options(const Config& config) {
  KafkaSourceOptions options;
  options.batch_records = config.limits.batch_records;
  options.batch_bytes = config.limits.batch_bytes;
  return options;
}

// One membership of the group, from joining to leaving or to being fenced.
Result<void> clean_once(const Config& config, const std::string& member, Clock& clock,
                        const std::stop_token& stop) {
  const auto plan = make_plan(config);
  if (!plan) return Failure(plan.error());
  const KafkaOptions kafka = kafka_options(config);
  KafkaSourceOptions of_source = source_options(config);
  of_source.topic = plan->has_hop ? config.topics.keyed : config.topics.input;
  of_source.group = config.group;
  of_source.member = member;
  of_source.record_bytes = config.limits.record_bytes;
  of_source.needs_keys = !plan->has_hop && plan->partitions > 1;
  auto source = KafkaSource::open(kafka, of_source);
  if (!source) return pass(source);
  KafkaCommitterOptions committer_options = config.checkpoint;
  committer_options.cleaned_topic = config.topics.cleaned;
  committer_options.state_topic = config.topics.state;
  committer_options.rejected_topic = config.topics.rejected;
  committer_options.record_bytes = config.limits.record_bytes;
  committer_options.member = config.group + "-" + member;
  auto committer = KafkaCommitter::open(kafka, committer_options, **source, clock);
  if (!committer) return pass(committer);

  CleanObserver observer;
  PipelineOptions options = pipeline_options(config);
  options.partitions.clear();
  options.longest_retry = std::chrono::seconds(1);
  options.give_up_after = kForEver;
  Pipeline pipeline(**committer, clock, observer, options);
  auto ran = pipeline.run(**source, stop);
  if (!ran) return ran;
  return pipeline.release();
}

// One membership of the group that puts records where their device belongs, if that is needed.
Result<void> hop_once(const Config& config, const std::string& member,
                      const std::stop_token& stop) {
  const auto plan = make_plan(config);
  if (!plan) return Failure(plan.error());
  if (!plan->has_hop) return {};
  const KafkaOptions kafka = kafka_options(config);
  KafkaSourceOptions of_source = source_options(config);
  of_source.topic = config.topics.input;
  of_source.group = config.group + "-key";
  of_source.member = member;
  of_source.record_bytes = kWhole;
  auto source = KafkaSource::open(kafka, of_source);
  if (!source) return pass(source);
  auto hop = KeyHop::open(kafka,
                          {of_source.group + "-" + member,
                           config.checkpoint.transaction_timeout,
                           kLongestMessage,
                           {config.topics.keyed}},
                          **source);
  if (!hop) return pass(hop);
  return (*hop)->run(stop);
}

void wait(const std::stop_token& stop, Milliseconds duration) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any().wait_for(lock, stop, duration, [] { return false; });
}

// Runs one membership after the other, until it ends by itself.
Result<void> keep_joining(const std::function<Result<void>()>& once, Clock& clock,
                          const std::stop_token& stop) {
  Milliseconds pause = kFirstWait;
  for (;;) {
    const auto start = clock.monotonic();
    auto done = once();
    if (done || stop.stop_requested()) return {};  // what is not committed is folded again
    const ErrorKind kind = done.error().kind;
    const bool may_join_again = kind == ErrorKind::lost_ownership ||
                                kind == ErrorKind::retry_later || kind == ErrorKind::not_found;
    if (!may_join_again) return done;
    if (clock.monotonic() - start > kWasWell) pause = kFirstWait;
    spdlog::warn(
        "{}{}; joining again in {}", done.error().message,
        kind == ErrorKind::not_found ? "; `dwell topics create` makes what is missing" : "",
        format_duration(pause));
    wait(stop, pause);
    pause = std::min(pause * 2, kLongestWait);
  }
}

// Brokers take letters, digits, dots, dashes and underscores.
std::string legal(std::string name) {
  const auto is_legal = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
  };
  std::replace_if(
      name.begin(), name.end(), [&](char c) { return !is_legal(static_cast<unsigned char>(c)); },
      '_');
  return name;
}

// The same at every start in the same folder of the same host.
Result<std::string> instance_id(const Config& config) {
  if (config.instance_id != "auto") {
    if (legal(config.instance_id) == config.instance_id) return config.instance_id;
    return fail(ErrorKind::invalid,
                "instance.id {}: only letters, digits, dots, dashes and underscores of ASCII",
                config.instance_id);
  }
  std::error_code error;
  const auto folder = std::filesystem::canonical(config.instance_folder, error).string();
  if (error) {
    return fail(ErrorKind::invalid, "instance.folder {}: {}", config.instance_folder,
                error.message());
  }
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const auto hash =
      ::crc32(0, reinterpret_cast<const Bytef*>(folder.data()), static_cast<uInt>(folder.size()));
  return fmt::format("{}-{:08x}", legal(host.data()), hash);
}

}  // namespace

Result<void> clean(const LoadedConfig& loaded) {
  log_to_stderr();
  const Config& config = loaded.config;
  const auto instance = instance_id(config);
  if (!instance) return Failure(instance.error());
  const auto path =
      fmt::format("{}/dwell-{}-{}.lock", config.instance_folder, legal(config.group), *instance);
  auto lock = FileLock::acquire(path, "dwell clean");
  if (!lock) {
    return fail(ErrorKind::invalid,
                "{}: give each process an instance.id or instance.folder of its "
                "own",
                lock.error().message);
  }
  SystemClock clock;
  // Blocked before there are threads, so that none but this one takes the signal.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  const pthread_t waiter = pthread_self();
  // Two tasks for each member: the rule, and the hop before it where it is needed.
  const auto task = [&](std::size_t number, const std::stop_token& stop) {
    const std::string member = fmt::format("{}-{}", *instance, number / 2);
    const bool is_hop = number % 2 == 1;
    return keep_joining(
        [&] {
          return is_hop ? hop_once(config, member, stop) : clean_once(config, member, clock, stop);
        },
        clock, stop);
  };
  std::vector<Result<void>> outcomes(2 * config.clean_threads);
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    threads.emplace_back([&, i](const std::stop_token& stop) {
      outcomes[i] = task(i, stop);
      if (!outcomes[i]) pthread_kill(waiter, SIGUSR1);  // one that cannot go on ends all
    });
  }
  int signal = 0;
  sigwait(&signals, &signal);
  if (signal != SIGUSR1) spdlog::info("signal {}: stopping", signal);
  // The second signal ends the process at once.
  sigdelset(&signals, SIGUSR1);
  for (const int number : {SIGINT, SIGTERM}) std::signal(number, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  for (std::jthread& thread : threads) thread.request_stop();
  for (std::jthread& thread : threads) thread.join();
  for (auto& outcome : outcomes) {
    if (!outcome) return outcome;
  }
  return {};
}

}  // namespace dwell
