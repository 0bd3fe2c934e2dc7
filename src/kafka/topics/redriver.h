#pragma once

#include "kafka/client/transactions.h"
#include "kafka/topics/redrive_options.h"
#include "kafka/topics/rejected_topic.h"

namespace dwell {

// What became of records of one reason.
struct RedriveCounts {
  std::uint64_t sent = 0;
  std::uint64_t cut = 0;        // only their beginning is there
  std::uint64_t again = 0;      // redriven before, and `sends_again` is not set
  std::uint64_t too_often = 0;  // redriven kMostRedriven times
};
using RedriveReport = std::map<Outcome, RedriveCounts>;

// Sends rejected records back to the input topic, each once: a batch of them and the positions
// behind it are committed in one transaction.
//
// A lane is a reason, of records that were never redriven or of those that were. Each has a
// position, kept with a group of its own: GROUP-redrive-REASON and GROUP-redrive-again-REASON. So a
// record is sent once, whatever was chosen before it; and one that was held back, since it was
// redriven before, stays before its lane's position until that lane is chosen.
//
// Of two at one time the later takes over: the other fails with lost_ownership. Not thread-safe.
class Redriver {
 public:
  // Errors: invalid, retry_later.
  static Result<std::unique_ptr<Redriver>> open(const KafkaOptions& kafka,
                                                const RedriveOptions& options);

  // Sends what the topic has now. On an error the report tells what was committed; the next run
  // goes on behind it. Errors: retry_later, not_found, lost_ownership, fatal.
  Result<void> run();
  // Reports what run() would do.
  Result<void> rehearse();

  const RedriveReport& report() const { return report_; }

 private:
  struct Lane {
    Outcome reason;
    bool is_again;
    std::string group;
    std::map<PartitionId, Offset> next = {};
  };

  Redriver(KafkaOptions kafka, RedriveOptions options, std::unique_ptr<RejectedTopic> topic);

  Result<void> find_ranges();
  Result<void> load_positions(Lane& lane, std::size_t partitions) const;
  std::uint64_t* count_of(const RejectedMessage& message, RedriveReport& report) const;
  Result<void> take(const RejectedMessage& message);
  Result<void> send(const RejectedMessage& message);
  Result<void> begin();
  Result<void> commit();
  Result<void> abandon(const Error& cause);

  KafkaOptions kafka_;
  RedriveOptions options_;
  std::unique_ptr<RejectedTopic> topic_;
  std::optional<KafkaTransactions> transactions_;
  bool is_in_transaction_ = false;
  std::vector<Lane> lanes_;
  int input_partitions_ = 0;
  std::vector<RejectedTopic::Range> ranges_;
  std::map<PartitionId, Offset> next_;  // behind the last record taken

  RedriveReport report_;  // of what is committed
  RedriveReport batch_;   // of what is not
  std::size_t batch_records_ = 0;
  std::size_t batch_bytes_ = 0;
};

}  // namespace dwell
