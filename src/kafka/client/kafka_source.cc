#include "kafka/client/kafka_source.h"

#include <algorithm>

#include "base/check.h"

namespace dwell {
namespace {

constexpr std::chrono::seconds kLongestClose{5};
constexpr std::chrono::seconds kLongestLeave{1};
constexpr std::chrono::milliseconds kSourcePatience{2'000};  // for an answer of the brokers

std::vector<PartitionId> partitions_of(const rd_kafka_topic_partition_list_t* list) {
  std::vector<PartitionId> all;
  for (int i = 0; i < list->cnt; ++i) all.push_back(list->elems[i].partition);
  return all;
}

}  // namespace

std::string input_name(const std::string& topic, PartitionId partition) {
  return fmt::format("{}/{}", topic, partition);
}

Record record_of(const rd_kafka_message_t& message, std::size_t longest) {
  const std::string_view bytes(static_cast<const char*>(message.payload),
                               message.payload ? message.len : 0);
  Record record{bytes.substr(0, longest), 0, message.offset, received_at(message), 0};
  if (bytes.size() > longest) record.truncated_from = bytes.size();
  if (message.key) record.key = {static_cast<const char*>(message.key), message.key_len};
  record.is_documented_form = header_of(message, kFormHeader) == kDocumentedForm;
  return record;
}

Result<std::unique_ptr<KafkaSource>> KafkaSource::open(const KafkaOptions& kafka,
                                                       const KafkaSourceOptions& options) {
  const KafkaSettings settings{
      {"group.id", options.group},
      {"group.instance.id", options.member},
      {"session.timeout.ms", std::to_string(options.session_timeout.count())},
      {"heartbeat.interval.ms", std::to_string(options.session_timeout.count() / 4)},
      // Eager: docs/decisions/0013.
      {"partition.assignment.strategy", "range"},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "error"},
      {"isolation.level", "read_committed"},
      {"fetch.wait.max.ms", "100"},
      // Emptying the local queue does not wake the thread that fetches; looking at the topic does.
      {"queued.min.messages", "50000"},
      {"queued.max.messages.kbytes", std::to_string(options.ahead_bytes >> 10)},
      {"fetch.message.max.bytes", "1048576"},
      {"topic.metadata.refresh.interval.ms", "50"},
      {"enable.partition.eof", "true"},
  };
  auto client =
      KafkaClient::make(RD_KAFKA_CONSUMER, kafka, settings,
                        RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_ERROR);
  if (!client) return pass(client);
  rd_kafka_poll_set_consumer((*client)->get());
  std::unique_ptr<KafkaSource> source(new KafkaSource(std::move(*client), options));
  const KafkaList topics(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(topics.get(), options.topic.c_str(), RD_KAFKA_PARTITION_UA);
  const auto code = rd_kafka_subscribe(source->client_->get(), topics.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return source->client_->failure(code, "topic " + options.topic);
  return source;
}

KafkaSource::KafkaSource(std::unique_ptr<KafkaClient> client, const KafkaSourceOptions& options)
    : client_(std::move(client)),
      options_(options),
      queue_(rd_kafka_queue_get_consumer(client_->get())) {}

// A change that nobody answers would keep the client from ending for ever. As a static member it
// sends no word to the group.
KafkaSource::~KafkaSource() {
  if (change_) (void)client_->assign(nullptr);
  change_.reset();
  events_.clear();
  rd_kafka_t* handle = client_->get();
  if (rd_kafka_error_t* error = rd_kafka_consumer_close_queue(handle, queue_.get())) {
    rd_kafka_error_destroy(error);
    return;
  }
  const auto deadline = std::chrono::steady_clock::now() + kLongestClose;
  while (!rd_kafka_consumer_closed(handle) && std::chrono::steady_clock::now() < deadline) {
    (void)give_up_at_change();
  }
}

// Whether the group told of a change of partitions; none is kept then.
bool KafkaSource::give_up_at_change() {
  const KafkaEvent event(rd_kafka_queue_poll(queue_.get(), 10));
  if (!event || rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_REBALANCE) return false;
  (void)client_->assign(nullptr);
  return true;
}

// Gives up the place in the group with all that it was given: a static member that joins again with
// the same id would be given the same again, for as long as its session lasts.
void KafkaSource::leave() {
  change_.reset();
  // Taken, without any: only who has answered with a list is let go.
  const KafkaList none(rd_kafka_topic_partition_list_new(0));
  (void)client_->assign(none.get());
  (void)rd_kafka_unsubscribe(client_->get());
  const auto deadline = std::chrono::steady_clock::now() + kLongestLeave;
  while (!give_up_at_change() && std::chrono::steady_clock::now() < deadline) {
  }
}

// What messages about it begin with.
std::string KafkaSource::membership() const {
  return fmt::format("group {}, member {}", options_.group, options_.member);
}

KafkaGroup KafkaSource::group() const {
  return KafkaGroup(rd_kafka_consumer_group_metadata(client_->get()));
}

Result<std::vector<std::optional<Offset>>> KafkaSource::committed(
    std::span<const PartitionId> partitions, std::chrono::milliseconds timeout) const {
  return client_->committed(options_.group, options_.topic, partitions, timeout);
}

Result<Batch> KafkaSource::poll() {
  for (auto& [partition, input] : inputs_) {
    input.records.clear();
    input.messages.clear();
    input.has_headers = false;
    input.has_moved = false;
  }
  events_.clear();
  record_count_ = 0;
  byte_count_ = 0;
  if (change_ && change_was_told_) {
    if (auto finished = finish_change(); !finished) return pass(finished);
  }
  if (change_) return changed(change_.get());

  const auto start = std::chrono::steady_clock::now();
  auto wait = static_cast<int>(options_.patience.count());
  while (record_count_ < options_.batch_records && byte_count_ < options_.batch_bytes) {
    KafkaEvent event(rd_kafka_queue_poll(queue_.get(), wait));
    if (!event) break;
    if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_REBALANCE) {
      change_ = std::move(event);
      if (record_count_ == 0) return changed(change_.get());
      break;  // what was gathered first
    }
    if (auto taken = take(std::move(event)); !taken) return pass(taken);
    if (record_count_ > 0) wait = 0;
    const bool looks_at_time = record_count_ % 1'000 == 0;
    if (looks_at_time && std::chrono::steady_clock::now() - start > options_.batch_time) break;
  }
  return gathered();
}

Batch KafkaSource::gathered() {
  slices_.clear();
  nexts_.clear();
  for (auto& [partition, input] : inputs_) {
    nexts_.push_back({partition, std::max(input.next, input.end), input.last});
    if (input.records.empty() && !input.has_moved) continue;
    input.position.next = input.next;
    slices_.push_back({partition, input.records, {&input.position, 1}});
  }
  Batch batch{slices_};
  batch.has_joined = has_joined_;
  batch.is_at_end = is_at_end();
  batch.nexts = nexts_;
  return batch;
}

Result<void> KafkaSource::take(KafkaEvent event) {
  if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR) {
    const auto code = rd_kafka_event_error(event.get());
    if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      end_partition(event.get());
      return {};
    }
    if (code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) return offset_gone(event.get());
    const bool is_of_member =
        code == RD_KAFKA_RESP_ERR__FATAL || code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
    auto failure = client_->failure(code, is_of_member ? membership() : "topic " + options_.topic);
    // The client goes on by itself from everything else.
    if (failure.value().kind == ErrorKind::retry_later) return {};
    return failure;
  }
  const rd_kafka_message_t* message = nullptr;
  rd_kafka_headers_t* headers = nullptr;
  while ((message = rd_kafka_event_message_next(event.get()))) {
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      auto failure = kafka_failure(message->err, input_name(options_.topic, message->partition));
      if (failure.value().kind == ErrorKind::retry_later) continue;
      return failure;
    }
    const auto found = inputs_.find(message->partition);
    // What was fetched before the partition was given up or sought.
    if (found == inputs_.end() || message->offset < found->second.next) continue;
    Input& input = found->second;
    Record& record = input.records.emplace_back(record_of(*message, options_.record_bytes));
    if (options_.needs_keys && !record.key.data()) record.key = "";
    input.messages.push_back(message);
    input.has_headers |= rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR;
    input.next = message->offset + 1;
    input.last = record.now;
    input.is_at_end = false;
    ++record_count_;
    byte_count_ += message->len;
  }
  events_.push_back(std::move(event));
  return {};
}

// Whoever joins again asks what became of the topic, and says it.
Result<void> KafkaSource::offset_gone(rd_kafka_event_t* event) const {
  const KafkaTopicPartition place(rd_kafka_event_topic_partition(event));
  const auto name = place ? input_name(options_.topic, place->partition) : options_.topic;
  return fail(ErrorKind::lost_ownership,
              "{}: the record to be read next is not there: the topic was made anew or emptied",
              name);
}

// The position goes on to the end that was reached, where that is to be committed.
void KafkaSource::end_partition(rd_kafka_event_t* event) {
  const KafkaTopicPartition place(rd_kafka_event_topic_partition(event));
  if (!place) return;
  const auto found = inputs_.find(place->partition);
  if (found == inputs_.end()) return;
  found->second.is_at_end = place->offset >= found->second.next;
  found->second.end = place->offset;
  if (!options_.commits_ends || place->offset <= found->second.next) return;
  found->second.next = place->offset;
  found->second.has_moved = true;
}

bool KafkaSource::is_at_end() const {
  return std::all_of(inputs_.begin(), inputs_.end(),
                     [](const auto& input) { return input.second.is_at_end; });
}

void KafkaSource::let_wait(PartitionId partition, bool waits) {
  waited_.insert(partition);
  hand_on(partition, !waits);
}

// Whether what the client reads of a partition goes on to the queue that is polled, or stays in the
// partition's own. The client does the former by itself, but never again once it was told.
void KafkaSource::hand_on(PartitionId partition, bool does) {
  const KafkaQueue own(
      rd_kafka_queue_get_partition(client_->get(), options_.topic.c_str(), partition));
  if (own) rd_kafka_queue_forward(own.get(), does ? queue_.get() : nullptr);
}

// Tells what comes and goes. It is done at the next poll, when the pipeline has seen to it.
Result<Batch> KafkaSource::changed(rd_kafka_event_t* event) {
  lost_.clear();
  gained_.clear();
  const auto code = rd_kafka_event_error(event);
  const auto* list = rd_kafka_event_topic_partition_list(event);
  const auto partitions = partitions_of(list);
  Batch batch;
  batch.is_at_end = is_at_end();
  if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    if (auto own = check_own(*list); !own) {
      if (own.error().kind == ErrorKind::lost_ownership) leave();
      return pass(own);
    }
    gained_ = partitions;
    has_joined_ = true;
  } else if (code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
    lost_ = partitions;
    batch.were_taken = rd_kafka_assignment_lost(client_->get()) != 0;
  } else {
    change_.reset();
    return client_->failure(code, membership());
  }
  change_was_told_ = true;
  batch.has_joined = has_joined_;
  batch.lost = lost_;
  batch.gained = gained_;
  return batch;
}

// That all are partitions of the topic, each once. The group's leader hands out what it likes, and
// the brokers remember what a member was given when it asked for another topic.
Result<void> KafkaSource::check_own(const rd_kafka_topic_partition_list_t& list) const {
  if (list.cnt == 0) return {};
  const auto count = client_->partition_count(options_.topic, kSourcePatience);
  if (!count) return pass(count);
  std::vector<bool> is_given(static_cast<std::size_t>(*count));
  for (const auto& one : std::span(list.elems, static_cast<std::size_t>(list.cnt))) {
    const auto place = static_cast<std::size_t>(one.partition);
    const bool is_own =
        one.topic == options_.topic && one.partition >= 0 && place < is_given.size();
    if (!is_own || is_given[place]) {
      return fail(ErrorKind::lost_ownership,
                  "group {} gives partition {} of topic {}{}, but topic {} is read, which has {} "
                  "partitions: left the group, to join it anew. If it lasts, another program is in "
                  "the group, or a process with other settings: give each a group of its own",
                  options_.group, one.partition, one.topic, is_own ? " twice" : "", options_.topic,
                  *count);
    }
    is_given[place] = true;
  }
  return {};
}

Result<void> KafkaSource::finish_change() {
  const KafkaEvent event = std::move(change_);
  change_was_told_ = false;
  const bool is_coming = rd_kafka_event_error(event.get()) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
  rd_kafka_topic_partition_list_t* list = rd_kafka_event_topic_partition_list(event.get());
  for (const PartitionId partition : lost_) inputs_.erase(partition);
  for (const PartitionId partition : gained_) {
    const auto input = inputs_.find(partition);
    CHECK(input != inputs_.end());  // sought by the pipeline
    rd_kafka_topic_partition_list_find(list, options_.topic.c_str(), partition)->offset =
        input->second.next;
  }
  const auto code = client_->assign(is_coming ? list : nullptr);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return client_->failure(code, membership());
  }
  // It forgot where they go when they were lost.
  for (const PartitionId partition : gained_) {
    if (waited_.contains(partition)) hand_on(partition, true);
  }
  return {};
}

Result<void> KafkaSource::seek(PartitionId partition, std::span<const Position> committed) {
  const auto name = input_name(options_.topic, partition);
  const auto known = std::find_if(committed.begin(), committed.end(),
                                  [&](const Position& p) { return p.source == name; });
  Input input;
  input.position.source = name;
  if (known != committed.end()) {
    input.next = known->next;
  } else {
    auto offsets = client_->offsets(options_.topic, partition, options_.session_timeout);
    if (!offsets) return pass(offsets);
    input.next = offsets->low;
  }
  const bool is_held = inputs_.contains(partition);
  const bool is_coming =
      std::find(gained_.begin(), gained_.end(), partition) != gained_.end() && change_;
  if (is_held && !is_coming) {
    const KafkaList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), options_.topic.c_str(), partition)->offset =
        input.next;
    if (rd_kafka_error_t* error = rd_kafka_seek_partitions(
            client_->get(), list.get(), static_cast<int>(options_.session_timeout.count()))) {
      return kafka_failure(error, name);
    }
  }
  inputs_[partition] = std::move(input);
  return {};
}

}  // namespace dwell
