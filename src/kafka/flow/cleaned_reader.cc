#include "kafka/flow/cleaned_reader.h"

#include <algorithm>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "kafka/client/record_trace.h"
#include "kafka/topics/redrive_options.h"

namespace dwell {
namespace {

constexpr std::chrono::milliseconds kPatienceForLast{10'000};

constexpr std::string_view kStartAnew =
    "`dwell store reset` forgets how far topics were read; what is stored already is then met "
    "again and left as it is";

StorePosition::Last last_of(const rd_kafka_message_t& message) {
  const auto key = bytes_of(message.key, message.key_len);
  const auto bytes =
      fmt::format("{}:{}{}", key.size(), key, bytes_of(message.payload, message.len));
  XXH128_canonical_t hash;
  XXH128_canonicalFromHash(&hash, XXH3_128bits(bytes.data(), bytes.size()));
  StorePosition::Last last{message.offset, {}};
  std::copy(std::begin(hash.digest), std::end(hash.digest), last.hash.begin());
  return last;
}

std::optional<std::string_view> header(rd_kafka_headers_t* headers, const char* name) {
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return {};
  }
  return bytes_of(value, size);
}

CleanedBytes cleaned_bytes(const rd_kafka_message_t& message) {
  CleanedBytes bytes;
  bytes.value = bytes_of(message.payload, message.len);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return bytes;
  bytes.seq = header(headers, "seq");
  bytes.rank = header(headers, "rank");
  bytes.operation = header(headers, "op");
  return bytes;
}

}  // namespace

Result<std::unique_ptr<CleanedReader>> CleanedReader::open(const KafkaOptions& kafka,
                                                           KafkaSource& source,
                                                           const std::string& rejected_topic,
                                                           const Tracer& tracer) {
  auto cluster = source.client().cluster_id(kBrokerPatience);
  if (!cluster) return pass(cluster);
  auto rejects = RejectedProducer::open(kafka, rejected_topic, source.options().record_bytes);
  if (!rejects) return pass(rejects);
  return std::unique_ptr<CleanedReader>(
      new CleanedReader(kafka, source, std::move(*rejects), std::move(*cluster), tracer));
}

CleanedReader::CleanedReader(const KafkaOptions& kafka, KafkaSource& source,
                             std::unique_ptr<RejectedProducer> rejects, std::string cluster,
                             const Tracer& tracer)
    : kafka_(kafka),
      source_(source),
      rejects_(std::move(rejects)),
      cluster_(std::move(cluster)),
      tracer_(tracer) {}

Result<void> CleanedReader::decode(const Batch& batch) {
  slices_.clear();
  traced_.clear();
  decoder_.reset();
  for (const Slice& slice : batch.slices) {
    if (auto decoded = decode_slice(slice); !decoded) return decoded;
  }
  return rejects_->flush();
}

Result<void> CleanedReader::decode_slice(const Slice& slice) {
  StorePosition& position = positions_.at(slice.partition);
  std::vector<RowChange>& changes = changes_[slice.partition];
  std::vector<std::size_t>& places = places_[slice.partition];
  changes.clear();
  places.clear();
  counts_[slice.partition] = slice.records.size();
  std::uint64_t rejected = 0;
  const bool has_traces = tracer_.is_on() && source_.has_headers(slice.partition);
  for (std::size_t i = 0; i < slice.records.size(); ++i) {
    const rd_kafka_message_t& message = source_.message(slice.partition, i);
    auto change = decoder_.decode(cleaned_bytes(message));
    std::optional<TraceContext> own;
    if (has_traces) own = trace(message, change ? "stored" : kNotCleaned);
    if (change) {
      changes.push_back(*change);
      places.push_back(i);
      continue;
    }
    ++rejected;
    auto added = rejects_->add(message, source_.options().topic, change.error().message, own);
    if (!added) return added;
  }
  position.next = slice.positions[0].next;
  if (!slice.records.empty()) {
    position.last = last_of(source_.message(slice.partition, slice.records.size() - 1));
  }
  slices_.push_back({changes, rejected, position});
  return {};
}

// Some records of one slice, from `begin` to before `end`.
struct CleanedReader::Records {
  const RowSlice& slice;  // whole
  std::size_t begin;
  std::size_t end;
};

// Traces do not begin here: who cleaned the record has decided.
std::optional<TraceContext> CleanedReader::trace(const rd_kafka_message_t& message,
                                                 std::string_view outcome) {
  if (!header_of(message, kTraceParent).data()) return {};
  auto traced = trace_of_record(tracer_, "store", source_.options().topic, message);
  if (!traced || traced->parent == TraceContext()) return {};
  traced->outcome = outcome;
  return traced_.emplace_back(std::move(*traced)).own;
}

Result<std::uint64_t> CleanedReader::commit_apart(const Commit& commit) {
  std::uint64_t refused = 0;
  for (const RowSlice& slice : slices_) {
    const auto found = commit_records({slice, 0, counts_.at(slice.position.partition)}, commit);
    if (!found) return found;
    refused += *found;
  }
  return refused;
}

RowSlice CleanedReader::slice_of(const Records& records) const {
  const auto& [slice, begin, end] = records;
  const PartitionId partition = slice.position.partition;
  const auto& places = places_.at(partition);
  const auto first = std::lower_bound(places.begin(), places.end(), begin) - places.begin();
  const auto last = std::lower_bound(places.begin(), places.end(), end) - places.begin();
  RowSlice some = slice;
  some.changes = slice.changes.subspan(static_cast<std::size_t>(first),
                                       static_cast<std::size_t>(last - first));
  some.rejected = end - begin - some.changes.size();
  if (end < counts_.at(partition)) {
    some.position.next = source_.message(partition, end).offset;
    some.position.last = last_of(source_.message(partition, end - 1));
  }
  return some;
}

Result<std::uint64_t> CleanedReader::commit_records(const Records& records, const Commit& commit) {
  RowSlice slice = slice_of(records);
  const auto committed = commit(slice);
  if (committed) return std::uint64_t{0};
  if (committed.error().kind != ErrorKind::fatal) return pass(committed);
  const std::size_t count = records.end - records.begin;
  if (count > 1) {
    const std::size_t middle = records.begin + count / 2;
    const auto left = commit_records({records.slice, records.begin, middle}, commit);
    if (!left) return left;
    const auto right = commit_records({records.slice, middle, records.end}, commit);
    if (!right) return right;
    return *left + *right;
  }
  if (slice.changes.empty()) return fail(ErrorKind::retry_later, "{}", committed.error().message);
  const auto& message = source_.message(slice.position.partition, records.begin);
  auto sent = rejects_->add(message, source_.options().topic, committed.error().message);
  if (sent) sent = rejects_->flush();
  if (!sent) return pass(sent);
  slice.changes = {};
  slice.rejected = 1;
  auto passed = commit(slice);
  if (!passed) return fail(ErrorKind::retry_later, "{}", passed.error().message);
  return std::uint64_t{1};
}

Result<StorePosition> CleanedReader::start(PartitionId partition) const {
  const auto& topic = source_.options().topic;
  const auto offsets = source_.client().offsets(topic, partition, kBrokerPatience);
  if (!offsets) return pass(offsets);
  return StorePosition{partition, cluster_, topic, offsets->low};
}

Result<void> CleanedReader::seek(const StorePosition& position) {
  const std::string name = input_name(position.topic, position.partition);
  if (position.cluster != cluster_) {
    return fail(ErrorKind::fatal,
                "{}: was stored from cluster {}, this is cluster {}: see to `brokers`, or: {}",
                name, position.cluster, cluster_, kStartAnew);
  }
  const auto offsets =
      source_.client().offsets(position.topic, position.partition, kBrokerPatience);
  if (!offsets) return pass(offsets);
  if (offsets->high < position.next) {
    return fail(ErrorKind::fatal,
                "{}: was stored up to offset {}, but ends at {}: the topic was made anew. {}", name,
                position.next, offsets->high, kStartAnew);
  }
  if (offsets->low > position.next) {
    return fail(ErrorKind::fatal,
                "{}: was stored up to offset {}, but begins with {}: what is between was deleted "
                "before it was stored. {}",
                name, position.next, offsets->low, kStartAnew);
  }
  if (auto checked = check_last(position, *offsets); !checked) return checked;
  positions_[position.partition] = position;
  return source_.seek(position.partition, {{{name, position.next, ""}}});
}

// Reads the last stored record again.
Result<void> CleanedReader::check_last(const StorePosition& position,
                                       const KafkaClient::Offsets& offsets) {
  if (!position.last || position.last->offset < offsets.low) return {};
  const std::string name = input_name(position.topic, position.partition);
  auto reader = KafkaClient::make_reader(kafka_, source_.options().group + "-check");
  if (!reader) return pass(reader);
  const KafkaList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), position.topic.c_str(), position.partition)
      ->offset = position.last->offset;
  (void)(*reader)->assign(list.get());
  const KafkaMessage found(
      rd_kafka_consumer_poll((*reader)->get(), static_cast<int>(kPatienceForLast.count())));
  if (!found) return fail(ErrorKind::retry_later, "{}: the broker sends nothing", name);
  const bool is_end = found->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
  if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR && !is_end) return kafka_failure(found->err, name);
  if (!is_end && last_of(*found) == *position.last) return {};
  return fail(ErrorKind::fatal,
              "{}: the record at offset {} is not the one that was stored last: the topic was made "
              "anew. {}",
              name, position.last->offset, kStartAnew);
}

}  // namespace dwell
