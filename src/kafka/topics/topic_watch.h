#pragma once

#include <map>

#include "kafka/client/client.h"

namespace dwell {

// A topic as the brokers have it at one moment.
struct TopicSight {
  int partitions = 0;                         // 0: there is no such topic
  std::vector<KafkaClient::Offsets> offsets;  // of each partition; empty: not told
  bool is_led = false;                        // by brokers that can be asked for them
};

enum class TopicChange { none, missing, back, made, made_anew, grown, emptied };

// What became of a topic between two moments; never `made` or `back`. `keeps_all`: what
// goes from its beginning is lost; other topics give up what is old.
TopicChange compare(const TopicSight& before, const TopicSight& now, bool keeps_all);

// A broker that was killed may have forgotten how far records were deleted: a beginning that went
// back tells nothing then.
void forgive_beginnings(TopicSight& before, const TopicSight& now);

// Looks at topics every now and then and tells what is not as it was. Each look waits for the
// brokers' answers. Not thread-safe.
class TopicWatch {
 public:
  struct Topic {
    std::string name;
    bool keeps_all = false;
  };
  struct Told {
    std::string topic;
    TopicChange change;
    std::string what;  // a sentence about the topic
  };

  explicit TopicWatch(const KafkaOptions& kafka) : kafka_(kafka) {}

  // The changes since the look before, and what is missing at the first one. Without an answer
  // about a topic it counts as unchanged. Errors: retry_later (no broker answers), invalid.
  Result<std::vector<Told>> look(std::span<const Topic> topics);

  // As of the last look; 0 where there is no such topic, none where nobody said.
  std::optional<int> partitions(const std::string& topic) const;

 private:
  struct Known {
    std::optional<TopicSight> sight;
    std::optional<TopicSight> there;  // the last one of a topic that is there
    unsigned told_at = 0;             // the last look that was told its offsets
    bool is_suspect = false;  // its ends went back, as they may for a moment when leaders change
  };

  Result<void> connect(std::span<const Topic> topics);
  Result<std::map<std::string, TopicSight>> look_at_partitions() const;
  void add_offsets(std::map<std::string, TopicSight>& sights) const;
  TopicChange see(const Topic& topic, TopicSight now);
  static TopicChange compare_with(Known& known, const TopicSight& now, bool keeps_all);

  KafkaOptions kafka_;
  std::unique_ptr<KafkaClient> client_;
  std::map<std::string, KafkaTopic> handles_;  // what the client asks for together
  std::map<std::string, Known> known_;
  unsigned looks_ = 0;
};

}  // namespace dwell
