#pragma once

#include "app/settings/config.h"
#include "base/result.h"
#include "kafka/topics/topic_facts.h"

namespace dwell {

// Refuses an order that was given where the states are of another. Errors: invalid.
Result<void> check_order(const Config& config, std::string_view order);

// The settings of a process that works with topics of `facts` (see read_facts()): what they hold
// takes the place of defaults, and the rule has their version. Without facts the topics are of the
// first release: rule 1.
// Errors: invalid (a setting was given that the topics cannot have; says how to go on), fatal (a
// newer release made them).
Result<Config> with_facts(Config config, const std::optional<TopicFacts>& facts);

// The same of the topics as they are; `warning` says what is worth knowing of them, else it is
// empty. Errors: those of read_facts() too.
Result<Config> with_facts_of_topics(const Config& config, std::string& warning);

// Whether topics without facts, of which `effective` was made, still have none. Errors:
// lost_ownership (they were upgraded meanwhile: who joins anew finds them), those of read_facts().
Result<void> check_no_upgrade(const Config& effective);

// The facts that topics get which are made with these settings.
TopicFacts new_facts(const Config& config);

// A record whose key is not its device id, in one line: its partition, its offset and both.
std::string miskeyed_line(std::string_view partition, Offset offset, std::string_view key,
                          std::string_view device);

}  // namespace dwell
