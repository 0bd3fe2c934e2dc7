#include "app/roles/clean_member.h"

#include <limits>
#include <spdlog/spdlog.h>

#include "app/process/rejoining.h"
#include "app/process/timed_committer.h"
#include "app/roles/pipeline_setup.h"
#include "app/settings/kafka_options.h"
#include "app/settings/units.h"
#include "kafka/client/kafka_source.h"
#include "kafka/flow/kafka_committer.h"
#include "kafka/flow/key_hop.h"
#include "kafka/topics/topic_plan.h"
#include "pipeline/pipeline.h"

namespace dwell {
namespace {

constexpr Milliseconds kForEver = std::chrono::days(36'500);
constexpr std::chrono::milliseconds kPatience{5'000};  // for an answer of the brokers
constexpr std::size_t kWhole = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kLongestMessage = 256 << 20;

class MemberObserver final : public Observer {
 public:
  MemberObserver(MemberStatus& status, const std::string& task) : status_(status), task_(task) {}

  void committed(const Unit& unit) override {
    status_.tell_miskeyed(unit);
    become_well();
  }
  void retrying(const Error& error, Milliseconds wait) override {
    if (is_well_) spdlog::warn("{}; trying again every {}", error.message, format_duration(wait));
    is_well_ = false;
    status_.set(task_, error.message);
  }
  void gained(std::span<const Partition> partitions) override {
    for (const Partition& partition : partitions) {
      spdlog::info("partition {}: ready at offset {} with {} devices", partition.id,
                   partition.positions.empty() ? 0 : partition.positions[0].next,
                   partition.fold.device_count());
    }
    is_well_ = true;
    status_.set(task_, "");
  }
  void restored(const Error& cause) override {
    spdlog::warn("{}; went back to the last commit", cause.message);
    is_well_ = true;
    status_.set(task_, "");
  }

 private:
  void become_well() {
    if (is_well_) return;
    spdlog::info("committing again");
    is_well_ = true;
    status_.set(task_, "");
  }

  MemberStatus& status_;
  std::string task_;
  bool is_well_ = true;
};

// Tells when the member has joined and when it has partitions to restore.
class ToldSource final : public Source {
 public:
  ToldSource(KafkaSource& inner, MemberStatus& status, const std::string& task)
      : inner_(inner), status_(status), task_(task) {}

  Result<Batch> poll() override {
    auto batch = inner_.poll();
    if (!batch) return batch;
    if (!batch->gained.empty()) {
      status_.set(task_, fmt::format("restoring {} partitions", batch->gained.size()));
    } else if (!has_joined_ && inner_.has_joined()) {
      status_.set(task_, "");
    }
    has_joined_ = inner_.has_joined();
    return batch;
  }
  Result<void> seek(PartitionId partition, std::span<const Position> committed) override {
    return inner_.seek(partition, committed);
  }

 private:
  KafkaSource& inner_;
  MemberStatus& status_;
  std::string task_;
  bool has_joined_ = false;
};

// Whether the rule reads the input itself, or what a hop made of it.
struct Plan {
  bool has_hop;
  int partitions;
};

Result<Plan> make_plan(const Config& config) {
  // A consumer, since a producer that asks for a topic makes it where brokers allow that.
  auto client = KafkaClient::make(RD_KAFKA_CONSUMER, kafka_options(config), {});
  if (!client) return pass(client);
  const auto count = (*client)->partition_count(config.topics.input, kPatience);
  if (!count) return Failure(count.error());
  return Plan{has_hop(config.partitioned_by, *count), *count};
}

KafkaCommitterOptions committer_options(const Config& config, const std::string& member) {
  KafkaCommitterOptions options = config.committer;
  options.topics = config.topics;
  options.record_bytes = config.limits.record_bytes;
  options.member = config.group + "-" + member;
  return options;
}

}  // namespace

CleanMember::CleanMember(const Config& config, const std::string& instance, std::size_t number,
                         Clock& clock, MemberStatus& status, Metrics& metrics, TopicGuard& topics)
    : config_(config),
      member_(fmt::format("{}-{}", instance, number)),
      task_(fmt::format("member {}", number)),
      hop_task_(task_ + ", hop"),
      clock_(clock),
      status_(status),
      metrics_(metrics),
      topics_(topics) {
  status_.set(task_, kJoining);
}

Result<void> CleanMember::run(const std::stop_token& stop) {
  return topics_.keep_joining(task_, stop, clock_,
                              [&](const std::stop_token& ends) { return clean_once(ends, stop); });
}

Result<void> CleanMember::run_hop(const std::stop_token& stop) {
  return topics_.keep_joining(hop_task_, stop, clock_,
                              [&](const std::stop_token& ends) { return hop_once(ends); });
}

// One membership of the group, from joining to leaving or to being fenced.
Result<void> CleanMember::clean_once(const std::stop_token& ends, const std::stop_token& stop) {
  const auto plan = make_plan(config_);
  if (!plan) return Failure(plan.error());
  const KafkaOptions kafka = kafka_options(config_);
  // A static member that comes back gets its partitions of before, whatever topic it asks for now:
  // one that reads another topic is another member.
  KafkaSourceOptions of_source =
      source_options(config_, plan->has_hop ? member_ + "-keyed" : member_);
  of_source.topic = plan->has_hop ? config_.topics.keyed : config_.topics.input;
  of_source.group = config_.group;
  of_source.record_bytes = config_.limits.record_bytes;
  of_source.tells_ends = plan->has_hop;  // so that what was copied counts as read to its end
  of_source.needs_keys = !plan->has_hop && plan->partitions > 1;
  auto source = KafkaSource::open(kafka, of_source);
  if (!source) return pass(source);
  auto committer =
      KafkaCommitter::open(kafka, committer_options(config_, member_), **source, clock_);
  if (!committer) return pass(committer);

  MemberObserver observer(status_, task_);
  ToldSource told(**source, status_, task_);
  TimedCommitter timed(**committer, clock_, metrics_, task_);
  PipelineOptions options = pipeline_options(config_);
  options.partitions.clear();
  options.longest_retry = std::chrono::seconds(1);
  options.give_up_after = kForEver;
  Pipeline pipeline(timed, clock_, observer, options);
  auto ran = pipeline.run(told, ends);
  if (!ran || !stop.stop_requested()) return ran;
  return pipeline.release();
}

// One membership of the group that puts records where their device belongs, if that is needed.
Result<void> CleanMember::hop_once(const std::stop_token& ends) {
  const auto plan = make_plan(config_);
  if (!plan) return Failure(plan.error());
  if (!plan->has_hop) {  // until the input has grown
    status_.set(hop_task_, "");
    wait(ends, kForEver);
    return {};
  }
  const KafkaOptions kafka = kafka_options(config_);
  KafkaSourceOptions of_source = source_options(config_, member_);
  of_source.topic = config_.topics.input;
  of_source.group = config_.group + "-key";
  of_source.record_bytes = kWhole;
  auto source = KafkaSource::open(kafka, of_source);
  if (!source) return pass(source);
  auto hop = KeyHop::open(kafka,
                          {of_source.group + "-" + member_,
                           config_.committer.transaction_timeout,
                           kLongestMessage,
                           {config_.topics.keyed}},
                          **source);
  if (!hop) return pass(hop);
  status_.set(hop_task_, "");
  return (*hop)->run(ends);
}

}  // namespace dwell
