#pragma once

#include <map>
#include <optional>
#include <set>

#include "kafka/client/client.h"
#include "ports/source.h"

namespace dwell {

// Reads the partitions of a topic that the group gives to this member, committed transactions only.
//
// Partitions that come and go are values of poll(), never callbacks. The position of a partition is
// (`TOPIC/N`, next offset); it is kept with the group, by who commits. Gaps in offsets are normal,
// going back is not. Not thread-safe.
class KafkaSource final : public Source {
 public:
  static Result<std::unique_ptr<KafkaSource>> open(const KafkaOptions& kafka,
                                                   const KafkaSourceOptions& options);
  // Leaves without a word: a static member that comes back soon finds its partitions.
  ~KafkaSource() override;

  // Errors: lost_ownership (this member is not one any more, was given what it does not read, or
  // the record to be read next is not there: open another source), not_found (the topic is away),
  // retry_later, fatal.
  Result<Batch> poll() override;
  Result<void> seek(PartitionId partition, std::span<const Position> committed) override;

  // The group's next offset in each partition, none where it has none, transactions that are not
  // over waited for. Errors: retry_later, lost_ownership.
  Result<std::vector<std::optional<Offset>>> committed(std::span<const PartitionId> partitions,
                                                       std::chrono::milliseconds timeout) const;
  // What a transaction says whose consumer it belongs to.
  KafkaGroup group() const;
  const KafkaClient& client() const { return *client_; }
  // That of a record of the last batch, by its place in its slice.
  const rd_kafka_message_t& message(PartitionId partition, std::size_t record) const {
    return *inputs_.at(partition).messages[record];
  }
  // Whether any record of the last batch came with headers.
  bool has_headers(PartitionId partition) const { return inputs_.at(partition).has_headers; }
  // Whether it was read to its end, as far as that was told.
  bool is_at_end(PartitionId partition) const { return inputs_.at(partition).is_at_end; }
  // Whether poll() leaves a partition alone, but for what the client handed on before. It reads
  // that partition ahead meanwhile, up to `ahead_bytes`.
  void let_wait(PartitionId partition, bool waits);
  const KafkaSourceOptions& options() const { return options_; }

 private:
  struct Input {  // of one partition
    Offset next = 0;
    Offset end = 0;          // that was reached last; 0: none yet
    Timestamp last = {};     // receive time of the record before `next`
    bool has_moved = false;  // by more than the records say
    bool is_at_end = false;
    std::vector<Record> records;
    std::vector<const rd_kafka_message_t*> messages;  // of the records
    bool has_headers = false;                         // one of them
    Position position;
  };

  KafkaSource(std::unique_ptr<KafkaClient> client, const KafkaSourceOptions& options);

  Result<void> finish_change();
  Result<void> check_own(const rd_kafka_topic_partition_list_t& list) const;
  std::string membership() const;
  bool give_up_at_change();
  void leave();
  Result<Batch> changed(rd_kafka_event_t* event);
  Result<void> take(KafkaEvent event);
  Result<void> offset_gone(rd_kafka_event_t* event) const;
  void end_partition(rd_kafka_event_t* event);
  Batch gathered();
  bool is_at_end() const;
  void hand_on(PartitionId partition, bool does);

  std::unique_ptr<KafkaClient> client_;
  KafkaSourceOptions options_;
  KafkaQueue queue_;
  std::map<PartitionId, Input> inputs_;
  std::set<PartitionId> waited_;  // that were let wait, in any assignment

  // A change of partitions, from the event that told it until the poll after.
  KafkaEvent change_;
  bool change_was_told_ = false;
  bool has_joined_ = false;
  std::vector<PartitionId> lost_;
  std::vector<PartitionId> gained_;

  std::vector<KafkaEvent> events_;  // hold the bytes of the records
  std::size_t record_count_ = 0;
  std::size_t byte_count_ = 0;
  std::vector<Slice> slices_;
  std::vector<PartitionNext> nexts_;
};

// The header of records that Dwell writes to an input itself: members and units are those of the
// documented form, whatever the settings say of the input.
inline constexpr const char* kFormHeader = "dwell.form";
inline constexpr std::string_view kDocumentedForm = "1";

// A message as a record; one longer than `longest` bytes is cut.
Record record_of(const rd_kafka_message_t& message, std::size_t longest);

// What positions call a partition: `device-events/3`.
std::string input_name(const std::string& topic, PartitionId partition);

}  // namespace dwell
