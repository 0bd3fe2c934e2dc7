#include <csignal>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <thread>
#include <unistd.h>

#include "app/commands.h"
#include "app/kafka_options.h"
#include "app/log.h"
#include "app/store.h"
#include "app/system_clock.h"
#include "app/units.h"
#include "kafka/kafka_committer.h"
#include "kafka/kafka_source.h"
#include "pipeline/pipeline.h"

namespace dwell {
namespace {

constexpr Milliseconds kForEver = std::chrono::days(36'500);
constexpr Milliseconds kBeforeJoiningAgain{200};

class CleanObserver final : public Observer {
 public:
  void committed(const Unit&) override {
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
  bool is_well_ = true;
};

// One membership of the group, from joining to leaving or to being fenced.
Result<void> clean_once(const Config& config, const std::string& member, Clock& clock,
                        const std::stop_token& stop) {
  const KafkaOptions kafka = kafka_options(config);
  KafkaSourceOptions source_options;
  source_options.topic = config.topics.input;
  source_options.group = config.group;
  source_options.member = member;
  source_options.record_bytes = config.limits.record_bytes;
  source_options.batch_records = config.limits.batch_records;
  source_options.batch_bytes = config.limits.batch_bytes;
  auto source = KafkaSource::open(kafka, source_options);
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

Result<void> clean_until_stopped(const Config& config, const std::string& member, Clock& clock,
                                 const std::stop_token& stop) {
  for (;;) {
    auto done = clean_once(config, member, clock, stop);
    if (done || stop.stop_requested()) return done;
    const bool may_join_again = done.error().kind == ErrorKind::lost_ownership ||
                                done.error().kind == ErrorKind::retry_later;
    if (!may_join_again) return done;
    spdlog::warn("{}; joining again", done.error().message);
    clock.sleep(kBeforeJoiningAgain);
  }
}

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

}  // namespace

Result<void> clean(const LoadedConfig& loaded) {
  log_to_stderr();
  const Config& config = loaded.config;
  SystemClock clock;
  // Blocked before there are threads, so that none but this one takes the signal.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  const std::string instance = config.instance_id == "auto" ? host_name() : config.instance_id;
  const pthread_t waiter = pthread_self();
  std::vector<Result<void>> outcomes(config.clean_threads);
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < config.clean_threads; ++i) {
    threads.emplace_back([&, i](const std::stop_token& stop) {
      outcomes[i] = clean_until_stopped(config, fmt::format("{}-{}", instance, i), clock, stop);
      pthread_kill(waiter, SIGUSR1);  // one that cannot go on ends all
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
