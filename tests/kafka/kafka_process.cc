#include "tests/kafka/kafka_process.h"

#include "base/check.h"

namespace dwell {
namespace {

constexpr std::size_t kLongestRecord = 1'024;
constexpr int kPatienceMs = 30'000;
constexpr int kPolls = 300;  // of 100 ms, at most, until something comes

}  // namespace

KafkaOptions KafkaWorld::options() const {
  KafkaOptions options;
  options.brokers = brokers;
  return options;
}

KafkaSourceOptions KafkaWorld::source_options() const {
  KafkaSourceOptions options;
  options.topic = input();
  options.group = name + "-group";
  options.member = name + "-member";
  options.record_bytes = kLongestRecord;
  return options;
}

KafkaCommitterOptions KafkaWorld::committer_options(const CheckpointLimits& limits) const {
  KafkaCommitterOptions options;
  options.topics.cleaned = cleaned();
  options.topics.state = state();
  options.topics.rejected = rejected();
  options.member = name + "-member";
  options.record_bytes = kLongestRecord;
  options.checkpoints = limits;
  return options;
}

void KafkaWorld::produce(const Script& script, std::size_t start, std::size_t count) const {
  const auto client = KafkaClient::make(RD_KAFKA_PRODUCER, options(), {});
  CHECK(client);
  const std::string topic = input();
  for (std::size_t i = start; i < start + count; ++i) {
    std::string value = script[i].bytes;
    if (script[i].truncated_from != 0) value.resize(script[i].truncated_from, ' ');
    const auto code = rd_kafka_producev(
        (*client)->get(), RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(0),
        RD_KAFKA_V_VALUE(value.data(), value.size()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_TIMESTAMP(to_ms(script[i].now)), RD_KAFKA_V_END);
    CHECK(code == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  CHECK(rd_kafka_flush((*client)->get(), kPatienceMs) == RD_KAFKA_RESP_ERR_NO_ERROR);
}

std::size_t KafkaWorld::count(const std::string& topic) const {
  const auto client = KafkaClient::make(RD_KAFKA_CONSUMER, options(),
                                        {{"group.id", "reader"}, {"enable.partition.eof", "true"}});
  CHECK(client);
  const KafkaList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), 0)->offset = 0;
  CHECK(rd_kafka_assign((*client)->get(), list.get()) == RD_KAFKA_RESP_ERR_NO_ERROR);
  for (std::size_t found = 0;; ++found) {
    const KafkaHandle<rd_kafka_message_t, rd_kafka_message_destroy> message(
        rd_kafka_consumer_poll((*client)->get(), kPatienceMs));
    CHECK(message);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return found;
    CHECK(message->err == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
}

KafkaProcess::KafkaProcess(const KafkaWorld& world, const Rule& rule,
                           const CheckpointLimits& limits)
    : world_(world), rule_(rule), limits_(limits) {}

Result<void> KafkaProcess::start() {
  auto source = KafkaSource::open(world_.options(), world_.source_options());
  if (!source) return pass(source);
  source_ = std::move(*source);
  auto committer =
      KafkaCommitter::open(world_.options(), world_.committer_options(limits_), *source_, clock_);
  if (!committer) return pass(committer);
  committer_ = std::move(*committer);
  for (int i = 0; i < kPolls; ++i) {
    auto batch = source_->poll();
    if (!batch) return pass(batch);
    if (!batch->gained.empty()) return restore();
  }
  return fail(ErrorKind::retry_later, "no partition was given");
}

Result<void> KafkaProcess::restore() {
  partition_.emplace(Partition{0, Fold(rule_, 1)});
  if (auto restored = committer_->restore({&*partition_, 1}); !restored) return restored;
  committed_ = lines();
  return source_->seek(0, partition_->positions);
}

Result<void> KafkaProcess::fold_to(Offset offset) {
  for (int i = 0; i < kPolls; ++i) {
    auto batch = source_->poll();
    if (!batch) return pass(batch);
    if (batch->slices.empty()) continue;
    const Slice& slice = batch->slices[0];
    partition_->unit = &partition_->fold.fold(slice.records, slice.positions);
    CHECK(slice.positions[0].next <= offset);
    if (slice.positions[0].next == offset) return {};
    if (auto committed = commit(); !committed) return committed;
  }
  return fail(ErrorKind::retry_later, "records did not come");
}

Result<void> KafkaProcess::commit() {
  auto committed = committer_->commit({&*partition_, 1});
  if (!committed || !partition_->unit) return committed;
  partition_->positions.assign(partition_->unit->positions.begin(),
                               partition_->unit->positions.end());
  partition_->unit = nullptr;
  committed_ = lines();
  return {};
}

Lines KafkaProcess::lines() const {
  if (!partition_->unit) return lines_of(partition_->fold, partition_->positions);
  return lines_of(partition_->fold, partition_->unit->positions);
}

}  // namespace dwell
