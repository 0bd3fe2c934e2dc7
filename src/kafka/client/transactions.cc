#include "kafka/client/transactions.h"

#include <future>
#include <utility>

namespace dwell {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kAbortPatience{5'000};  // for the end of what was left open

KafkaList list_of(const std::string& topic, std::span<const PartitionNext> offsets) {
  KafkaList list(rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size())));
  for (const PartitionNext& one : offsets) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), one.partition)->offset = one.next;
  }
  return list;
}

}  // namespace

Result<KafkaTransactions::Producer> KafkaTransactions::make_producer(
    const KafkaOptions& kafka, const KafkaTransactionOptions& options, int number) {
  auto client =
      KafkaClient::make(RD_KAFKA_PRODUCER, kafka,
                        {{"transactional.id", fmt::format("{}-{}", options.member, number)},
                         {"transaction.timeout.ms", std::to_string(options.timeout.count())},
                         {"retry.backoff.ms", "1"},
                         // For full batches; the commit sends the rest at once.
                         {"linger.ms", "50"},
                         {"message.max.bytes", std::to_string(options.message_bytes)},
                         {"compression.codec", "lz4"},
                         {"partitioner", "murmur2_random"},
                         // A topic that is not there fails at once, and not after half a minute.
                         {"topic.metadata.propagation.max.ms", "1000"},
                         // Bounds the memory of a checkpoint, whose records go out meanwhile.
                         {"queue.buffering.max.messages", "150000"},
                         {"queue.buffering.max.kbytes", "1048576"},
                         {"batch.num.messages", "100000"}});
  if (!client) return pass(client);
  rd_kafka_t* handle = (*client)->get();
  if (rd_kafka_error_t* error =
          rd_kafka_init_transactions(handle, static_cast<int>(kAbortPatience.count()))) {
    return kafka_failure(error, "transactional id " + options.member);
  }
  Producer producer{std::move(*client), {}};
  for (const std::string& topic : options.topics) {
    producer.topics.emplace_back(rd_kafka_topic_new(handle, topic.c_str(), nullptr));
  }
  return producer;
}

Result<KafkaTransactions> KafkaTransactions::open(const KafkaOptions& kafka,
                                                  const KafkaTransactionOptions& options) {
  // Half a second each the first time, so both at once.
  auto other = std::async(std::launch::async, [&] { return make_producer(kafka, options, 1); });
  auto first = make_producer(kafka, options, 0);
  auto second = other.get();
  if (!first) return pass(first);
  if (!second) return pass(second);
  KafkaTransactions transactions;
  transactions.options_ = options;
  transactions.producers_ = {std::move(*first), std::move(*second)};
  return transactions;
}

Result<void> KafkaTransactions::begin() {
  if (rd_kafka_error_t* error = rd_kafka_begin_transaction(producer().client->get())) {
    return kafka_failure(error, "transaction of " + options_.member);
  }
  begun_ms_ = std::chrono::duration_cast<std::chrono::milliseconds>(
                  std::chrono::system_clock::now().time_since_epoch())
                  .count();
  return {};
}

Result<void> KafkaTransactions::produce(const KafkaOutput& output) {
  rd_kafka_t* handle = producer().client->get();
  rd_kafka_topic_t* topic = producer().topics[output.topic].get();
  const std::int64_t time = output.time ? to_ms(*output.time) : begun_ms_;
  std::optional<SteadyClock::time_point> deadline;  // once the queue was full
  for (;;) {
    const auto code = rd_kafka_producev(
        handle, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(output.partition),
        RD_KAFKA_V_KEY(output.key.data(), output.key.size()),
        RD_KAFKA_V_VALUE(const_cast<char*>(output.value.data()), output.value.size()),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(output.headers),
        RD_KAFKA_V_TIMESTAMP(time), RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      const auto now = SteadyClock::now();
      if (!deadline) deadline = now + options_.timeout;
      if (now < *deadline) {
        rd_kafka_poll(handle, 10);
        continue;
      }
    }
    if (output.headers) rd_kafka_headers_destroy(output.headers);
    // Given up for an error of before: asked to commit, which it cannot, the client tells which.
    if (code == RD_KAFKA_RESP_ERR__STATE) {
      const auto timeout = static_cast<int>(options_.timeout.count());
      rd_kafka_error_t* error = rd_kafka_commit_transaction(handle, timeout);
      if (error) return kafka_failure(error, "transaction of " + options_.member);
    }
    return producer().client->failure(
        code,
        fmt::format("transaction of {}, topic {}", options_.member, rd_kafka_topic_name(topic)));
  }
}

Result<void> KafkaTransactions::commit(const KafkaSource& source,
                                       std::span<const PartitionNext> offsets) {
  const GroupOffsets one{source.group(), list_of(source.options().topic, offsets)};
  return commit_with({&one, 1});
}

Result<void> KafkaTransactions::commit(std::span<const KafkaPositions> positions) {
  std::vector<GroupOffsets> all;
  for (const auto& [group, topic, offsets] : positions) {
    all.push_back(
        {KafkaGroup(rd_kafka_consumer_group_metadata_new(group.c_str())), list_of(topic, offsets)});
  }
  return commit_with(all);
}

Result<void> KafkaTransactions::commit_with(std::span<const GroupOffsets> all) {
  rd_kafka_t* handle = producer().client->get();
  const auto timeout = static_cast<int>(options_.timeout.count());
  const auto what = "transaction of " + options_.member;
  const auto deadline = SteadyClock::now() + options_.timeout;
  bool was_asked_again = false;
  bool is_undone = false;  // whatever comes of it, it was not committed
  const auto try_until_deadline = [&](auto call) -> Result<void> {
    for (;;) {
      rd_kafka_error_t* error = call();
      if (!error) return {};
      // Given up for an error of before: asked once more, the client tells which.
      const bool is_told_next = rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__STATE &&
                                !std::exchange(was_asked_again, true);
      const bool may_succeed = rd_kafka_error_is_retriable(error) && SteadyClock::now() < deadline;
      if (is_told_next || may_succeed) {
        rd_kafka_error_destroy(error);
        continue;
      }
      is_undone = rd_kafka_error_txn_requires_abort(error) != 0;
      return kafka_failure(error, what);
    }
  };
  for (const auto& [group, offsets] : all) {
    auto sent = try_until_deadline([&] {
      return rd_kafka_send_offsets_to_transaction(handle, offsets.get(), group.get(), timeout);
    });
    if (!sent) return abort(sent.error());
  }
  auto committed = try_until_deadline([&] { return rd_kafka_commit_transaction(handle, timeout); });
  if (!committed) {
    auto aborted = abort(committed.error());
    // Nobody knows whether the brokers committed; the group's offset will tell the next client.
    if (!is_undone && aborted.error().kind == ErrorKind::retry_later) {
      return fail(ErrorKind::lost_ownership, "{}", aborted.error().message);
    }
    return aborted;
  }
  turn_ = (turn_ + 1) % producers_.size();
  return {};
}

Result<void> KafkaTransactions::abort(const Error& cause) {
  const auto timeout = static_cast<int>(options_.timeout.count());
  if (rd_kafka_error_t* error = rd_kafka_abort_transaction(producer().client->get(), timeout)) {
    rd_kafka_error_destroy(error);
    // New clients end it with the same ids.
    return fail(cause.kind == ErrorKind::fatal ? cause.kind : ErrorKind::lost_ownership, "{}",
                cause.message);
  }
  return Failure(cause);
}

}  // namespace dwell
