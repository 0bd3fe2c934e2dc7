#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/record.h"
#include "kafka/client/client.h"

namespace dwell {

// What holds for all partitions of a group's topics, and as long as there are states: the version
// of the rule, and the settings that every member must have alike. One record of the state topic,
// in partition 0; byte by byte in docs/formats.md ("Facts"). A topic without one was made by the
// first release: it goes on under rule 1.
struct TopicFacts {
  std::uint32_t rule_version = 0;
  std::map<std::string, std::string> settings;  // by key

  friend bool operator==(const TopicFacts&, const TopicFacts&) = default;
};

// The key of the record; no device id begins with it.
inline constexpr std::string_view kFactsKey{"\1", 1};

// A member as it is called in a group, from its own name: whoever asks the brokers for the members
// of a group sees which rule each knows, whatever was called so before.
std::string member_with_rule(std::string_view member);
// The newest version of the rule that a member knows who is called so; 1 of any other name.
std::uint32_t rule_of_member(std::string_view name);

void encode_facts(const TopicFacts& facts, std::string& out);
// Fails with `fatal` when the record is damaged or of a format this binary does not read.
Result<TopicFacts> decode_facts(std::string_view record);

// Those of a state topic; none where there is no record of them. Reads partition 0 up to the
// record. Errors: retry_later, not_found (no such topic), fatal (damaged).
Result<std::optional<TopicFacts>> read_facts(const KafkaOptions& kafka, const std::string& topic);

// Writes them, acknowledged by all replicas; returns where they stand in partition 0. Errors:
// retry_later, not_found, fatal.
Result<Offset> write_facts(const KafkaOptions& kafka, const std::string& topic,
                           const TopicFacts& facts);

}  // namespace dwell
