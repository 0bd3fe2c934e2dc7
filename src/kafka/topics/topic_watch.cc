#include "kafka/topics/topic_watch.h"

#include <algorithm>
#include <utility>

namespace dwell {
namespace {

constexpr std::chrono::milliseconds kWatchPatience{1'000};  // for an answer of the brokers

std::string sentence(const std::string& topic, TopicChange change, bool was_there, int before,
                     int now) {
  switch (change) {
    case TopicChange::missing:
      return was_there
                 ? fmt::format("topic {} was deleted; `dwell topics create` makes it anew", topic)
                 : fmt::format("topic {} is missing; `dwell topics create` makes it", topic);
    case TopicChange::back:
      return fmt::format("topic {} is there again", topic);
    case TopicChange::made:
      return fmt::format("topic {} was made", topic);
    case TopicChange::made_anew:
      return fmt::format("topic {} was made anew: what it had is gone", topic);
    case TopicChange::grown:
      return fmt::format("topic {} has grown from {} to {} partitions", topic, before, now);
    case TopicChange::emptied:
      return fmt::format("topic {} was emptied: what it had is gone", topic);
    case TopicChange::none:
      break;
  }
  return {};
}

}  // namespace

TopicChange compare(const TopicSight& before, const TopicSight& now, bool keeps_all) {
  if (now.partitions == 0) {
    return before.partitions == 0 ? TopicChange::none : TopicChange::missing;
  }
  if (before.partitions == 0 || now.partitions < before.partitions) return TopicChange::made_anew;
  const std::size_t both = std::min(before.offsets.size(), now.offsets.size());
  for (std::size_t i = 0; i < both; ++i) {
    const auto& was = before.offsets[i];
    const auto& is = now.offsets[i];
    if (is.high < was.high || is.low < was.low) return TopicChange::made_anew;
  }
  if (now.partitions > before.partitions) return TopicChange::grown;
  for (std::size_t i = 0; keeps_all && i < both; ++i) {
    if (now.offsets[i].low > before.offsets[i].low) return TopicChange::emptied;
  }
  return TopicChange::none;
}

void forgive_beginnings(TopicSight& before, const TopicSight& now) {
  const std::size_t both = std::min(before.offsets.size(), now.offsets.size());
  for (std::size_t i = 0; i < both; ++i) {
    before.offsets[i].low = std::min(before.offsets[i].low, now.offsets[i].low);
  }
}

std::optional<int> TopicWatch::partitions(const std::string& topic) const {
  const auto found = known_.find(topic);
  if (found == known_.end() || !found->second.sight) return {};
  return found->second.sight->partitions;
}

Result<std::vector<TopicWatch::Told>> TopicWatch::look(std::span<const Topic> topics) {
  ++looks_;
  if (auto connected = connect(topics); !connected) return pass(connected);
  auto sights = look_at_partitions();
  if (!sights) return pass(sights);
  add_offsets(*sights);
  std::vector<Told> told;
  for (const Topic& topic : topics) {
    const auto sight = sights->find(topic.name);
    if (sight == sights->end()) continue;
    const int now = sight->second.partitions;
    const bool was_there = known_[topic.name].there.has_value();
    const int before = partitions(topic.name).value_or(0);
    const auto change = see(topic, std::move(sight->second));
    if (change == TopicChange::none) continue;
    told.push_back({topic.name, change, sentence(topic.name, change, was_there, before, now)});
  }
  return told;
}

TopicChange TopicWatch::see(const Topic& topic, TopicSight now) {
  Known& known = known_[topic.name];
  const bool is_there = now.partitions > 0;
  const bool is_new = !known.sight || known.sight->partitions != now.partitions;
  const bool was_away = known.there && known.sight->partitions == 0;
  if (was_away && is_there && now.offsets.empty()) return TopicChange::none;  // not yet
  if (!now.offsets.empty() && std::exchange(known.told_at, looks_) + 1 != looks_) {
    if (known.sight) forgive_beginnings(*known.sight, now);
    if (known.there) forgive_beginnings(*known.there, now);
  }
  const auto change = compare_with(known, now, topic.keeps_all);
  if (known.is_suspect && change == TopicChange::none && !now.offsets.empty()) return change;
  // What nobody said now is as it was.
  if (now.offsets.empty() && !is_new) now.offsets = known.sight->offsets;
  if (is_there) known.there = now;
  known.sight = std::move(now);
  return change;
}

TopicChange TopicWatch::compare_with(Known& known, const TopicSight& now, bool keeps_all) {
  const bool was_suspect = std::exchange(known.is_suspect, false);
  if (!known.sight) return now.partitions == 0 ? TopicChange::missing : TopicChange::none;
  if (known.sight->partitions == 0 && now.partitions > 0) {
    if (!known.there) return TopicChange::made;
    // Brokers that only just started may not know it for a moment. One without records may be any.
    const bool is_empty = std::all_of(now.offsets.begin(), now.offsets.end(),
                                      [](const auto& one) { return one.high == 0; });
    const bool is_as_before = !is_empty && now.partitions == known.there->partitions &&
                              compare(*known.there, now, keeps_all) == TopicChange::none;
    return is_as_before ? TopicChange::back : TopicChange::made_anew;
  }
  const auto change = compare(*known.sight, now, keeps_all);
  const bool are_same = known.sight->partitions == now.partitions;
  if (change == TopicChange::made_anew && are_same && !was_suspect) {
    known.is_suspect = true;
    return TopicChange::none;
  }
  // Nobody said that it was wrong.
  if (now.offsets.empty() && was_suspect) known.is_suspect = true;
  return change;
}

Result<void> TopicWatch::connect(std::span<const Topic> topics) {
  if (!client_) {
    auto made = KafkaClient::make(
        RD_KAFKA_CONSUMER, kafka_,
        {{"allow.auto.create.topics", "false"}, {"isolation.level", "read_uncommitted"}});
    if (!made) return pass(made);
    client_ = std::move(*made);
  }
  for (const Topic& topic : topics) {
    auto& handle = handles_[topic.name];
    if (!handle) handle.reset(rd_kafka_topic_new(client_->get(), topic.name.c_str(), nullptr));
  }
  return {};
}

// Those of the topics that the brokers speak of, all in one answer.
Result<std::map<std::string, TopicSight>> TopicWatch::look_at_partitions() const {
  const struct rd_kafka_metadata* metadata = nullptr;
  const auto code = rd_kafka_metadata(client_->get(), 0, nullptr, &metadata,
                                      static_cast<int>(kWatchPatience.count()));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka_failure(code, "topics");
  const KafkaHandle<const struct rd_kafka_metadata, rd_kafka_metadata_destroy> owned(metadata);
  std::map<std::string, TopicSight> sights;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const auto& topic = metadata->topics[i];
    const bool is_there = topic.err == RD_KAFKA_RESP_ERR_NO_ERROR && topic.partition_cnt > 0;
    const bool is_missing = topic.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (!is_there && !is_missing) continue;
    auto& sight = sights[topic.topic];
    if (is_missing) continue;
    sight.partitions = topic.partition_cnt;
    sight.is_led = std::all_of(topic.partitions, topic.partitions + topic.partition_cnt,
                               [](const auto& one) { return one.leader >= 0; });
  }
  return sights;
}

// One request to each leader for where all partitions begin and one for where they end. A partition
// without a leader would hold up the answer for all.
void TopicWatch::add_offsets(std::map<std::string, TopicSight>& sights) const {
  const KafkaList all(rd_kafka_topic_partition_list_new(0));
  for (const auto& [topic, sight] : sights) {
    if (!sight.is_led) continue;
    rd_kafka_topic_partition_list_add_range(all.get(), topic.c_str(), 0, sight.partitions - 1);
  }
  if (all->cnt == 0) return;
  const auto ask = [&](std::int64_t which) {
    KafkaList list(rd_kafka_topic_partition_list_copy(all.get()));
    for (int i = 0; i < list->cnt; ++i) list->elems[i].offset = which;
    const auto code = rd_kafka_offsets_for_times(client_->get(), list.get(),
                                                 static_cast<int>(kWatchPatience.count()));
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? std::move(list) : nullptr;
  };
  const auto begins = ask(RD_KAFKA_OFFSET_BEGINNING);
  const auto ends = begins ? ask(RD_KAFKA_OFFSET_END) : nullptr;
  if (!ends) return;
  const auto is_told = [](const auto& one) { return one.err == 0 && one.offset >= 0; };
  int at = 0;  // lists keep their order
  for (auto& [topic, sight] : sights) {
    if (!sight.is_led) continue;
    bool are_told = true;
    for (int i = 0; i < sight.partitions; ++i, ++at) {
      const auto& low = begins->elems[at];
      const auto& high = ends->elems[at];
      are_told &= is_told(low) && is_told(high);
      sight.offsets.push_back({low.offset, high.offset});
    }
    if (!are_told) sight.offsets.clear();
  }
}

}  // namespace dwell
