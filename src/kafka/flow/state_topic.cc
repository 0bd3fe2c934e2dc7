#include "kafka/flow/state_topic.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "core/state_record.h"
#include "kafka/topics/topic_facts.h"

namespace dwell {
namespace {

constexpr std::chrono::seconds kRestorePatience{10};  // without a record or an end
constexpr std::size_t kAhead = 8;                     // memory is asked for so many states before

constexpr std::string_view kStartAnew =
    "`dwell topics reset` forgets states and offsets and starts again at the beginning of the "
    "input";

}  // namespace

// A partition on its way back.
struct StateTopic::Restoring {
  Partition* partition = nullptr;
  std::string input = {};  // its name
  Offset first = 0;        // that the input still has
  Offset end = 0;          // of the input
  std::optional<Offset> committed = {};
  Offset state_first = 0;
  std::optional<Marker> marker = {};
  std::optional<Fold> fold = {};     // under the marker's rule
  std::vector<Record> records = {};  // read together
  Lack lack = {};
};

StateTopic::Restoring& StateTopic::restoring(std::span<Restoring> all, PartitionId partition) {
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Restoring& r) { return r.partition->id == partition; });
  CHECK(found != all.end());  // only these are read
  return *found;
}

StateTopic::StateTopic(const KafkaOptions& kafka, const KafkaSource& source, std::string name,
                       std::string cluster)
    : kafka_(kafka), source_(source), name_(std::move(name)), cluster_(std::move(cluster)) {}

Result<std::unique_ptr<StateTopic>> StateTopic::open(const KafkaOptions& kafka,
                                                     const KafkaSource& source, std::string name) {
  auto cluster = source.client().cluster_id(kRestorePatience);
  if (!cluster) return pass(cluster);
  return std::unique_ptr<StateTopic>(
      new StateTopic(kafka, source, std::move(name), std::move(*cluster)));
}

Result<std::vector<StateTopic::Lack>> StateTopic::restore(std::span<Partition> partitions) {
  std::vector<Restoring> all;
  for (Partition& partition : partitions) {
    CHECK(partition.fold.device_count() == 0);
    all.push_back({&partition, input_name(source_.options().topic, partition.id)});
  }
  auto reader = RangeReader::open(kafka_, source_.options().group + "-restore");
  if (!reader) return pass(reader);
  reader_ = std::move(*reader);
  auto lacks = restore_all(all);
  reader_.reset();
  return lacks;
}

Result<std::vector<StateTopic::Lack>> StateTopic::restore_all(std::span<Restoring> all) {
  if (auto found = find_ranges(all); !found) return pass(found);
  if (auto read = read_states(all); !read) return pass(read);
  for (Restoring& one : all) {
    // A broker that has just come back was seen to tell the end of a topic as its beginning: nobody
    // is refused for a single answer.
    if (one.marker && one.marker->next < one.first) {
      auto again =
          reader_->client().offsets(source_.options().topic, one.partition->id, kRestorePatience);
      if (!again) return pass(again);
      one.first = std::min(one.first, again->low);
    }
    if (auto checked = check(one); !checked) return pass(checked);
  }
  if (auto folded = fold_input(all); !folded) return pass(folded);
  std::vector<Lack> lacks;
  for (Restoring& one : all) {
    if (auto taken = take_over(one); !taken) return pass(taken);
    lacks.push_back(std::move(one.lack));
  }
  return lacks;
}

Result<void> StateTopic::find_ranges(std::span<Restoring> all) {
  const auto& topic = source_.options().topic;
  std::vector<PartitionId> ids;
  for (const Restoring& one : all) ids.push_back(one.partition->id);
  auto committed = source_.committed(ids, kRestorePatience);
  if (!committed) return pass(committed);
  for (std::size_t i = 0; i < all.size(); ++i) {
    Restoring& one = all[i];
    one.committed = (*committed)[i];
    auto input = reader_->client().offsets(topic, one.partition->id, kRestorePatience);
    if (!input) return pass(input);
    auto state = reader_->client().offsets(name_, one.partition->id, kRestorePatience);
    if (!state) return pass(state);
    one.first = input->low;
    one.end = input->high;
    one.state_first = state->low;
  }
  return {};
}

Result<void> StateTopic::read_states(std::span<Restoring> all) {
  std::vector<OffsetRange> ranges;
  for (const Restoring& one : all) {
    ranges.push_back({one.partition->id, one.state_first, kEndOfLog});
  }
  return reader_->read(name_, ranges, [&](const RangeReader::Messages& messages) -> Result<void> {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      if (i + kAhead < messages.size()) {
        const rd_kafka_message_t& later = *messages[i + kAhead];
        const Restoring& one = restoring(all, later.partition);
        if (one.fold) one.fold->prefetch_device(bytes_of(later.key, later.key_len));
      }
      auto read = read_state(restoring(all, messages[i]->partition), *messages[i]);
      if (!read) return read;
    }
    return {};
  });
}

Result<void> StateTopic::read_state(Restoring& one, const rd_kafka_message_t& message) {
  const auto key = bytes_of(message.key, message.key_len);
  const auto value = bytes_of(message.payload, message.len);
  const auto place = [&] {
    return fmt::format("{} offset {}", input_name(name_, message.partition), message.offset);
  };
  if (key == kFactsKey && message.partition == 0) return {};
  if (key == kMarkerKey) {
    auto marker = decode_marker(value);
    if (!marker) {
      return fail(marker.error().kind, "{}: {}", place(), marker.error().message);
    }
    if (!one.fold || one.fold->rule() != marker->rule) {
      // States are read under any rule of their order; only the limits of their windows differ.
      Fold fold = one.partition->fold.empty_copy(marker->rule);
      if (one.fold) {
        std::string record;
        for (DeviceIndex i = 0; i < one.fold->device_count(); ++i) {
          record.clear();
          one.fold->encode_state(i, record);
          if (auto put = fold.put_device(one.fold->device_id(i), record); !put) {
            return fail(ErrorKind::fatal, "{}: {}", place(), put.error().message);
          }
        }
      }
      one.fold.emplace(std::move(fold));
    }
    one.marker = std::move(*marker);
    return {};
  }
  if (!one.fold) {
    // States may come before the first marker; check() tells of another order than that of now.
    Rule rule = one.partition->fold.rule();
    rule.order = order_of_state(value).value_or(rule.order);
    one.fold.emplace(one.partition->fold.empty_copy(rule));
  }
  if (auto put = one.fold->put_device(key, value); !put) {
    return fail(ErrorKind::fatal, "{}: {}; it is not a state of Dwell. {}", place(),
                put.error().message, kStartAnew);
  }
  return {};
}

Result<void> StateTopic::check(const Restoring& one) const {
  const auto& group = source_.options().group;
  if (!one.marker && !one.committed) {
    if (!one.fold) return {};
    return fail(ErrorKind::fatal, "{}: has states but no marker. {}",
                input_name(name_, one.partition->id), kStartAnew);
  }
  if (!one.marker) {
    return fail(ErrorKind::fatal,
                "{}: group {} stands at offset {}, but topic {} has no states for it. {}",
                one.input, group, *one.committed, name_, kStartAnew);
  }
  if (!one.committed) {
    return fail(ErrorKind::fatal,
                "{}: topic {} has states up to offset {}, but group {} has no offset. {}",
                one.input, name_, one.marker->next, group, kStartAnew);
  }
  const Marker& marker = *one.marker;
  if (marker.cluster != cluster_ || marker.topic != source_.options().topic) {
    return fail(ErrorKind::fatal,
                "{}: the states were made from topic {} of cluster {}, this is topic {} of cluster "
                "{}. {}",
                input_name(name_, one.partition->id), marker.topic, marker.cluster,
                source_.options().topic, cluster_, kStartAnew);
  }
  const bool is_known = marker.rule.version >= 1 && marker.rule.version <= kRuleVersion;
  if (!is_known && *one.committed != marker.next) {
    return fail(ErrorKind::fatal,
                "{}: the states were folded with rule version {}, this binary has 1 to {}, and "
                "offsets {} to {} are still to be folded with the former: run and stop the release "
                "that wrote them, then go on with this one. Or: {}",
                input_name(name_, one.partition->id), marker.rule.version, kRuleVersion,
                marker.next, *one.committed, kStartAnew);
  }
  if (is_known && marker.rule.version > one.partition->fold.rule().version) {
    return fail(
        ErrorKind::fatal,
        "{}: the states were made under rule {}, and topic {} lacks the record that says so: "
        "`dwell topics upgrade` writes it",
        input_name(name_, one.partition->id), marker.rule.version, name_);
  }
  if (marker.rule.order != one.partition->fold.rule().order) {
    return fail(ErrorKind::invalid,
                "order.mode: the states of {} were made with {}; set it back, or: {}", one.input,
                name(marker.rule.order), kStartAnew);
  }
  if (*one.committed > one.end) {
    return fail(ErrorKind::fatal,
                "{}: group {} stands at offset {}, the topic ends at {}: it was made anew. {}",
                one.input, group, *one.committed, one.end, kStartAnew);
  }
  if (*one.committed < marker.next) {
    return fail(ErrorKind::fatal,
                "{}: group {} was set back to offset {}, the states stand at {}. {}", one.input,
                group, *one.committed, marker.next, kStartAnew);
  }
  if (marker.next < one.first) {
    return fail(ErrorKind::fatal,
                "{}: records from offset {} on are needed, the topic begins with {}: its retention "
                "is shorter than the time between two checkpoints. {}",
                one.input, marker.next, one.first, kStartAnew);
  }
  if (one.fold->device_count() != marker.devices) {
    return fail(ErrorKind::fatal, "{}: has {} devices, its marker counts {}. {}",
                input_name(name_, one.partition->id), one.fold->device_count(), marker.devices,
                kStartAnew);
  }
  return {};
}

Result<void> StateTopic::fold_input(std::span<Restoring> all) {
  std::vector<OffsetRange> ranges;
  for (Restoring& one : all) {
    if (!one.marker) continue;
    one.fold->load_totals(one.marker->totals);
    ranges.push_back({one.partition->id, one.marker->next, *one.committed});
  }
  return reader_->read(source_.options().topic, ranges, [&](const RangeReader::Messages& messages) {
    for (const rd_kafka_message_t* message : messages) {
      Restoring& one = restoring(all, message->partition);
      const auto longest = one.marker->record_bytes;
      one.records.push_back(
          record_of(*message, longest != 0 ? longest : source_.options().record_bytes));
      one.records.back().key = {};  // told when it was committed
    }
    for (Restoring& one : all) {
      if (one.records.empty()) continue;
      for (const DeviceIndex device : one.fold->fold(one.records, {}).touched) {
        one.lack.devices.add(device);
      }
      one.lack.records += one.records.size();
      one.records.clear();
    }
    return Result<void>();
  });
}

// The states go on under the rule of now.
Result<void> StateTopic::take_over(Restoring& one) {
  if (!one.marker) return {};
  one.partition->positions = {{one.input, *one.committed, ""}};
  const Rule& rule = one.partition->fold.rule();
  const bool is_same_rule = one.marker->rule == rule;
  const bool tells_same = one.marker->record_bytes == source_.options().record_bytes &&
                          one.marker->tzdata == rule.time.zone.version();
  one.lack.has_marker = is_same_rule && (rule.version == 1 || tells_same);
  if (is_same_rule) {
    one.partition->fold = std::move(*one.fold);
    return {};
  }
  std::string record;
  for (DeviceIndex i = 0; i < one.fold->device_count(); ++i) {
    record.clear();
    one.fold->encode_state(i, record);
    auto put = one.partition->fold.put_device(one.fold->device_id(i), record);
    if (!put) return pass(put);
  }
  one.partition->fold.load_totals(one.fold->totals());
  return {};
}

}  // namespace dwell
