#include "kafka/flow/kafka_intake.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>

#include "kafka/client/kafka_source.h"
#include "telemetry/trace_context.h"

namespace dwell {
namespace {

constexpr int kLookForStopMs = 100;

}  // namespace

// A submission on its way. Held by itself while reports of its records are to come.
struct KafkaIntake::Sending {
  Sending(std::size_t records, std::function<void(SubmissionResult)> done)
      : done(std::move(done)), to_come(records + 1) {}

  // One report, or the end of sending, which counts as one with the records that it left out; the
  // last of them answers.
  static void end(Sending* sending, const std::optional<Error>& error, const InputPlace* place,
                  std::size_t left_out = 0) {
    std::unique_lock lock(sending->mutex);
    if (error && !sending->error) sending->error = error;
    if (place) {
      auto& last = sending->last.try_emplace(place->partition, place->offset).first->second;
      last = std::max(last, place->offset);
    }
    sending->to_come -= 1 + left_out;
    if (sending->to_come > 0) return;
    lock.unlock();
    const std::unique_ptr<Sending> owned(sending);
    if (owned->error) {
      owned->done(Failure(*owned->error));
      return;
    }
    Submitted submitted;
    for (const auto& [partition, offset] : owned->last) {
      submitted.places.push_back({partition, offset});
    }
    owned->done(std::move(submitted));
  }

  std::function<void(SubmissionResult)> done;
  std::mutex mutex;
  std::size_t to_come;
  std::optional<Error> error;
  std::map<PartitionId, Offset> last;
};

Result<std::unique_ptr<KafkaIntake>> KafkaIntake::open(const KafkaOptions& kafka,
                                                       const KafkaIntakeOptions& options) {
  const auto patience = std::to_string(options.patience.count());
  auto client = KafkaClient::make(
      RD_KAFKA_PRODUCER, kafka,
      {{"enable.idempotence", "true"},
       {"acks", "all"},
       {"linger.ms", "1"},
       {"compression.codec", "lz4"},
       {"partitioner", "murmur2_random"},  // as other clients choose the partition of a key
       {"message.max.bytes", std::to_string(options.record_bytes + 1'024)},
       {"message.timeout.ms", patience},
       {"request.timeout.ms", patience},
       {"topic.metadata.propagation.max.ms", "1000"},  // for a topic that was made just now
       {"queue.buffering.max.messages", std::to_string(options.queued_records)},
       {"queue.buffering.max.kbytes", std::to_string(options.queued_bytes >> 10)}},
      RD_KAFKA_EVENT_DR);
  if (!client) return pass(client);
  return std::unique_ptr<KafkaIntake>(new KafkaIntake(options, std::move(*client)));
}

KafkaIntake::KafkaIntake(const KafkaIntakeOptions& options, std::unique_ptr<KafkaClient> client)
    : options_(options),
      client_(std::move(client)),
      topic_(rd_kafka_topic_new(client_->get(), options.topic.c_str(), nullptr)),
      reports_([this](const std::stop_token& stop) { watch(stop); }) {}

KafkaIntake::~KafkaIntake() {
  rd_kafka_purge(client_->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  reports_.request_stop();
  reports_.join();
}

void KafkaIntake::submit(Submission submission, std::function<void(SubmissionResult)> done) {
  const std::size_t records = submission.ends.size();
  // Before any record is sent: sending again would send the others again, and never get on.
  if (auto fits = check_sizes(submission); !fits) {
    done(pass(fits));
    return;
  }
  auto* const sending = new Sending(records, std::move(done));
  std::optional<Error> error;
  std::size_t sent = 0;
  while (sent < records && !error) {
    if (auto one = send(submission, sent, *sending); one) {
      ++sent;
    } else {
      error = one.error();
    }
  }
  Sending::end(sending, error, nullptr, records - sent);
}

Result<void> KafkaIntake::check_sizes(const Submission& submission) const {
  std::size_t start = 0;
  for (std::size_t i = 0; i < submission.ends.size(); ++i) {
    const std::size_t size = submission.ends[i] - start;
    start = submission.ends[i];
    if (size <= options_.record_bytes) continue;
    return fail(ErrorKind::invalid,
                "record {} has {} bytes, input.max_record is {}; nothing was sent", i, size,
                options_.record_bytes);
  }
  return {};
}

Failure KafkaIntake::too_large() const {
  return fail(ErrorKind::invalid,
              "topic {}: an event is longer than the topic takes, and others of the request may be "
              "there already; send a shorter one, or raise max.message.bytes of the topic: `dwell "
              "topics check` says to what",
              options_.topic);
}

Result<void> KafkaIntake::send(const Submission& submission, std::size_t index, Sending& sending) {
  const auto part = [index](const std::string& all, const std::vector<std::size_t>& ends) {
    const std::size_t start = index == 0 ? 0 : ends[index - 1];
    return std::string_view(all).substr(start, ends[index] - start);
  };
  const auto bytes = part(submission.bytes, submission.ends);
  const auto device = part(submission.devices, submission.device_ends);
  const auto header = [](const char* name, std::string_view value) {
    rd_kafka_vu_t part{.vtype = RD_KAFKA_VTYPE_HEADER, .u = {}};
    part.u.header = {name, value.data(), static_cast<ssize_t>(value.size())};
    return part;
  };
  std::array<rd_kafka_vu_t, 9> parts{};
  std::size_t count = 0;
  const auto add = [&](rd_kafka_vtype_t type) -> auto& {
    parts[count].vtype = type;
    return parts[count++].u;
  };
  add(RD_KAFKA_VTYPE_RKT).rkt = topic_.get();
  add(RD_KAFKA_VTYPE_PARTITION).i32 = RD_KAFKA_PARTITION_UA;
  add(RD_KAFKA_VTYPE_MSGFLAGS).i = RD_KAFKA_MSG_F_COPY;
  add(RD_KAFKA_VTYPE_VALUE).mem = {const_cast<char*>(bytes.data()), bytes.size()};
  add(RD_KAFKA_VTYPE_KEY).mem = {const_cast<char*>(device.data()), device.size()};
  add(RD_KAFKA_VTYPE_OPAQUE).ptr = &sending;
  parts[count++] = header(kFormHeader, kDocumentedForm);
  if (!submission.traceparent.empty()) {
    parts[count++] = header(kTraceParent, submission.traceparent);
    if (!submission.tracestate.empty()) parts[count++] = header(kTraceState, submission.tracestate);
  }
  ++sent_records_;  // before it can be reported
  sent_bytes_ += bytes.size();
  const KafkaError error(rd_kafka_produceva(client_->get(), parts.data(), count));
  const auto code = error ? rd_kafka_error_code(error.get()) : RD_KAFKA_RESP_ERR_NO_ERROR;
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  --sent_records_;
  sent_bytes_ -= bytes.size();
  if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
    return fail(ErrorKind::retry_later, "too many events are on their way to the brokers");
  }
  if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) return too_large();
  return fail(ErrorKind::retry_later, "topic {}: {}", options_.topic, rd_kafka_err2str(code));
}

// Takes what became of records off the client's queue, to the last one.
void KafkaIntake::watch(const std::stop_token& stop) {
  const KafkaQueue queue(rd_kafka_queue_get_main(client_->get()));
  while (!stop.stop_requested() || rd_kafka_outq_len(client_->get()) > 0) {
    const KafkaEvent event(rd_kafka_queue_poll(queue.get(), kLookForStopMs));
    if (!event || rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_DR) continue;
    while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event.get())) {
      report(*message);
    }
  }
}

void KafkaIntake::report(const rd_kafka_message_t& message) {
  auto* const sending = static_cast<Sending*>(message._private);
  --sent_records_;
  sent_bytes_ -= message.len;
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const InputPlace place{message.partition, message.offset};
    Sending::end(sending, std::nullopt, &place);
    return;
  }
  if (message.err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
    Sending::end(sending, too_large().value(), nullptr);
    return;
  }
  const Failure failure = kafka_failure(message.err, "topic " + options_.topic);
  const Error& cause = failure.value();
  const bool is_missing = cause.kind == ErrorKind::not_found;
  const Error error{ErrorKind::retry_later,
                    cause.message + (is_missing ? "; `dwell topics create` makes it" : "")};
  Sending::end(sending, error, nullptr);
}

}  // namespace dwell
