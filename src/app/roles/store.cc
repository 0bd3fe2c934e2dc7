#include <memory>

#include "app/process/database_door.h"
#include "app/process/observers.h"
#include "app/process/rejoining.h"
#include "app/process/store_watch.h"
#include "app/process/trace_observer.h"
#include "app/roles/process_roles.h"
#include "app/roles/store_stage.h"
#include "app/settings/kafka_options.h"
#include "pipeline/runner.h"

namespace dwell {
namespace {

// One of the members that a storing process is in the group: reads the partitions of the cleaned
// topic that it is given into the database, joining anew whenever its membership or its connection
// ends. On a thread of its own.
class StoreMember {
 public:
  // `instance` tells this process from others of the group, `number` its members apart.
  StoreMember(Process& process, const std::string& instance, std::size_t number)
      : process_(process),
        config_(process.config()),
        door_(config_),
        member_(fmt::format("{}-{}", instance, number)),
        task_(fmt::format("store {}", number)),
        watch_(task_, process.board()) {
    process.board().set(task_, kJoining);
  }

  const std::string& task() const { return task_; }

  // Until `stop` is asked for. Errors: what joining again cannot mend.
  Result<void> run(const std::stop_token& stop) {
    return process_.topics().keep_joining(
        task_, stop, [&](const std::stop_token& ends) { return run_once(ends); });
  }

 private:
  // One membership of the group, with one connection to the database.
  Result<void> run_once(const std::stop_token& ends) {
    watch_.left();
    auto database = door_.open();
    if (!database) return pass(database);
    const std::string host = (*database)->host();
    auto store = PostgresStore::open(std::move(*database));
    if (!store) return may_pass(store.error());
    const KafkaOptions kafka = kafka_options(config_);
    KafkaSourceOptions options = source_options(config_, member_);
    options.topic = config_.topics.cleaned;
    options.group = config_.store_group;
    options.record_bytes = config_.limits.record_bytes;
    options.commits_ends = true;
    auto source = KafkaSource::open(kafka, options);
    if (!source) return pass(source);
    auto reader = CleanedReader::open(kafka, **source, config_.topics.rejected, process_.tracer());
    if (!reader) return pass(reader);

    StoreStage stage(std::move(*reader), std::move(*store), watch_, process_.clock(),
                     careful_batches_);
    MetricsObserver counts(process_.metrics(), StageName::store, process_.clock());
    LagObserver lags(process_.metrics(), process_.board(), process_.clock(), (*source)->client(),
                     {task_, options.topic, config_.stalled_after});
    LogObserver log(task_);
    SummaryObserver summary(config_.rule, process_.clock());
    TraceObserver traces(process_.tracer(), process_.clock(),
                         {"store", options.topic, options.group, options.member, host});
    Observers observers({&counts, &lags, &watch_, &log, &summary, &traces});
    return Runner(stage, process_.clock(), observers, joining_again()).run(**source, ends);
  }

  Process& process_;
  const Config& config_;
  DatabaseDoor door_;
  std::string member_;
  std::string task_;
  StoreWatch watch_;
  int careful_batches_ = 0;
};

}  // namespace

Result<void> add_store(Process& process) {
  const Config& config = process.config();
  const auto instance = process.take_instance(config.store_group);
  if (!instance) return pass(instance);
  TopicGuard& topics = process.topics();
  topics.add(config.topics.cleaned);
  topics.add(config.topics.state, true);
  topics.add(config.topics.rejected);
  for (const StageName stage : {StageName::store, StageName::devices}) {
    process.metrics().stage(stage);
  }
  for (std::size_t i = 0; i < config.store_threads; ++i) {
    const auto member = std::make_shared<StoreMember>(process, *instance, i);
    process.add(member->task(),
                [member](const std::stop_token& stop) { return member->run(stop); });
  }
  add_outcomes(process, *instance);
  add_upkeep(process);
  return {};
}

}  // namespace dwell
