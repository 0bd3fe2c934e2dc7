#include <limits>
#include <memory>
#include <spdlog/spdlog.h>
#include <utility>

#include "app/process/observers.h"
#include "app/process/rejoining.h"
#include "app/process/topic_settings.h"
#include "app/process/trace_observer.h"
#include "app/roles/pipeline_setup.h"
#include "app/roles/process_roles.h"
#include "app/settings/kafka_options.h"
#include "kafka/flow/kafka_committer.h"
#include "kafka/flow/key_hop.h"
#include "kafka/topics/topic_facts.h"
#include "kafka/topics/topic_plan.h"
#include "pipeline/pipeline.h"

namespace dwell {
namespace {

constexpr Milliseconds kForEver = std::chrono::days(36'500);
constexpr std::size_t kWhole = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kLongestMessage = 256 << 20;

// Whether the rule reads the input itself, or what a hop made of it.
struct Plan {
  bool has_hop;
  int partitions;
};

Result<Plan> make_plan(const Config& config) {
  // A consumer, since a producer that asks for a topic makes it where brokers allow that.
  auto client = KafkaClient::make(RD_KAFKA_CONSUMER, kafka_options(config), {});
  if (!client) return pass(client);
  const auto count = (*client)->partition_count(config.topics.input, kBrokerPatience);
  if (!count) return pass(count);
  return Plan{has_hop(config.partitioned_by, *count), *count};
}

KafkaCommitterOptions committer_options(const Config& config, const std::string& member) {
  KafkaCommitterOptions options = config.committer;
  options.topics = config.topics;
  options.record_bytes = config.limits.record_bytes;
  options.member = config.group + "-" + member;
  return options;
}

// One of the members that a cleaning process is in the group: reads the partitions it is given,
// folds them and commits, joining anew whenever its membership ends. run() and run_hop() on a
// thread each.
class CleanMember {
 public:
  // `instance` tells this process from others of the group, `number` its members apart.
  CleanMember(Process& process, const std::string& instance, std::size_t number)
      : process_(process),
        config_(process.config()),
        member_(fmt::format("{}-{}", instance, number)),
        task_(fmt::format("member {}", number)),
        hop_task_(task_ + ", hop"),
        warns_(number == 0) {
    process.board().set(task_, kJoining);
  }

  const std::string& task() const { return task_; }
  const std::string& hop_task() const { return hop_task_; }

  // Until `stop` is asked for. Errors: what joining again cannot mend.
  Result<void> run(const std::stop_token& stop) {
    return process_.topics().keep_joining(
        task_, stop, [&](const std::stop_token& ends) { return run_once(ends, stop); });
  }

  // The same for the hop in front, where the input is not partitioned by device; idle where it is.
  Result<void> run_hop(const std::stop_token& stop) {
    return process_.topics().keep_joining(
        hop_task_, stop, [&](const std::stop_token& ends) { return hop_once(ends); });
  }

 private:
  // One membership of the group, from joining to leaving or to being fenced. It is left by `stop`
  // with all that is unsaved, else without a word.
  Result<void> run_once(const std::stop_token& ends, const std::stop_token& stop) {
    const auto plan = make_plan(config_);
    if (!plan) return pass(plan);
    std::string warning;
    const auto effective = with_facts_of_topics(config_, warning);
    if (!effective) return pass(effective);
    if (std::exchange(warns_, false) && !warning.empty()) spdlog::warn("{}", warning);
    const KafkaOptions kafka = kafka_options(config_);
    // A static member that comes back gets its partitions of before, whatever topic it asks for
    // now: one that reads another topic is another member.
    KafkaSourceOptions of_source =
        source_options(config_, member_with_rule(plan->has_hop ? member_ + "-keyed" : member_));
    of_source.topic = plan->has_hop ? config_.topics.keyed : config_.topics.input;
    of_source.group = config_.group;
    of_source.record_bytes = config_.limits.record_bytes;
    of_source.commits_ends = plan->has_hop;  // so that what was copied counts as read to its end
    of_source.needs_keys = !plan->has_hop && plan->partitions > 1;
    auto source = KafkaSource::open(kafka, of_source);
    if (!source) return pass(source);
    KafkaCommitterOptions of_committer = committer_options(config_, member_);
    of_committer.tracer = process_.tracer();
    of_committer.before_restore = [&effective] { return check_no_upgrade(*effective); };
    auto committer = KafkaCommitter::open(kafka, of_committer, **source, process_.clock());
    if (!committer) return pass(committer);

    HealthObserver health(process_.board(), task_);
    MetricsObserver counts(process_.metrics(), StageName::clean, process_.clock());
    LagObserver lags(process_.metrics(), process_.board(), process_.clock(), (*source)->client(),
                     {task_, of_source.topic, config_.stalled_after});
    LogObserver log(task_);
    SummaryObserver summary(effective->rule, process_.clock());
    TraceObserver traces(process_.tracer(), process_.clock(),
                         {"clean", of_source.topic, of_source.group, of_source.member});
    Observers observers({&counts, &lags, &health, &log, &summary, &traces});
    PipelineOptions options = service_options(*effective);
    options.partitions.clear();
    Pipeline pipeline(**committer, process_.clock(), observers, options);
    auto ran = pipeline.run(**source, ends);
    if (!ran || !stop.stop_requested()) return ran;
    return pipeline.release();
  }

  // One membership of the group that puts records where their device belongs, if that is needed.
  Result<void> hop_once(const std::stop_token& ends) {
    const auto plan = make_plan(config_);
    if (!plan) return pass(plan);
    if (!plan->has_hop) {  // until the input has grown
      process_.board().set(hop_task_, "");
      process_.clock().sleep(kForEver, ends);
      return {};
    }
    std::string warning;  // the member says it
    const auto effective = with_facts_of_topics(config_, warning);
    if (!effective) return pass(effective);
    const KafkaOptions kafka = kafka_options(config_);
    KafkaSourceOptions of_source = source_options(config_, member_with_rule(member_));
    of_source.topic = config_.topics.input;
    of_source.group = config_.group + "-key";
    of_source.record_bytes = kWhole;
    of_source.commits_ends = true;  // a partition at its end holds up no other
    of_source.ahead_bytes = KeyHop::kReadAhead;
    auto source = KafkaSource::open(kafka, of_source);
    if (!source) return pass(source);
    auto hop = KeyHop::open(kafka,
                            {of_source.group + "-" + member_,
                             config_.committer.transaction_timeout,
                             kLongestMessage,
                             {config_.topics.keyed}},
                            effective->rule, **source, process_.clock(),
                            [&effective] { return check_no_upgrade(*effective); });
    if (!hop) return pass(hop);

    HealthObserver health(process_.board(), hop_task_);
    MetricsObserver counts(process_.metrics(), StageName::hop, process_.clock());
    LagObserver lags(process_.metrics(), process_.board(), process_.clock(), (*source)->client(),
                     {hop_task_, of_source.topic, config_.stalled_after});
    TraceObserver traces(process_.tracer(), process_.clock(),
                         {"hop", of_source.topic, of_source.group, of_source.member});
    LogObserver log(hop_task_);
    Observers observers({&counts, &lags, &health, &log, &traces});
    return Runner(**hop, process_.clock(), observers, joining_again()).run(**source, ends);
  }

  Process& process_;
  const Config& config_;
  std::string member_;
  std::string task_;
  std::string hop_task_;
  bool warns_;  // of the topics, once in the process
};

}  // namespace

Result<void> add_clean(Process& process) {
  const Config& config = process.config();
  const auto instance = process.take_instance(config.group);
  if (!instance) return pass(instance);
  TopicGuard& topics = process.topics();
  topics.add(config.topics.input);
  topics.add_keyed();
  topics.add(config.topics.cleaned);
  topics.add(config.topics.state, true);
  topics.add(config.topics.rejected);
  for (const StageName stage : {StageName::clean, StageName::hop}) process.metrics().stage(stage);
  for (std::size_t i = 0; i < config.clean_threads; ++i) {
    const auto member = std::make_shared<CleanMember>(process, *instance, i);
    process.add(member->task(),
                [member](const std::stop_token& stop) { return member->run(stop); });
    process.add(member->hop_task(),
                [member](const std::stop_token& stop) { return member->run_hop(stop); });
  }
  return {};
}

}  // namespace dwell
