#pragma once

#include <optional>
#include <string>

#include "kafka/client/kafka_source.h"
#include "kafka/flow/kafka_committer.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/scripted_source.h"
#include "tests/fakes/store_lines.h"

namespace dwell {

// The topics of one test, with one partition each, on brokers that run already.
struct KafkaWorld {
  std::string brokers;
  std::string name;  // what the names of topics, group and member begin with

  std::string input() const { return name + "-events"; }
  std::string cleaned() const { return name + "-cleaned"; }
  std::string state() const { return name + "-state"; }
  std::string rejected() const { return name + "-rejected"; }

  KafkaOptions options() const;
  KafkaSourceOptions source_options() const;
  KafkaCommitterOptions committer_options(const CheckpointLimits& limits) const;

  void produce(const Script& script, std::size_t start, std::size_t count) const;
  // How many messages of a topic a reader of committed ones gets.
  std::size_t count(const std::string& topic) const;
};

// What a cleaning process does, step by step: it is always the same member of the group. To destroy
// it is to kill it.
class KafkaProcess {
 public:
  KafkaProcess(const KafkaWorld& world, const Rule& rule, const CheckpointLimits& limits);

  // Joins, and restores the partition when it is given.
  Result<void> start();
  // Polls and folds until `offset` is the next one. What comes in pieces is committed but for the
  // last one.
  Result<void> fold_to(Offset offset);
  Result<void> commit();
  // Starts anew from what the committer restores.
  Result<void> restore();

  // States, totals and position, with what is folded but not committed.
  Lines lines() const;
  // The same as of the last commit or restore.
  const Lines& committed() const { return committed_; }

 private:
  KafkaWorld world_;
  Rule rule_;
  CheckpointLimits limits_;
  FakeClock clock_;
  std::unique_ptr<KafkaSource> source_;
  std::unique_ptr<KafkaCommitter> committer_;
  std::optional<Partition> partition_;
  Lines committed_;
};

}  // namespace dwell
