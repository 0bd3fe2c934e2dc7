#pragma once

#include "app/settings/config.h"
#include "base/result.h"
#include "kafka/topics/topic_facts.h"
#include "kafka/topics/topic_plan.h"

namespace dwell {

// The order in which the states of a topic were made; none where it has no marker. Reads the topic
// up to the first one. Errors: those of the clients.
Result<std::optional<Order>> order_of_states(const Config& config, const TopicPlan& plan);

// Gives the state topic its record of facts where nothing was made from it yet, so that it is as
// new. Returns a line of what it did or found. Errors: invalid (the facts that are there are others
// than what was given), those of the clients.
Result<std::string> set_up_facts(const Config& config, const TopicAdmin& admin,
                                 const TopicPlan& plan);

// The facts that a reset leaves: those that are there, or of the order in which the states were
// made, with what was given in their place. Errors: those of the clients, fatal (a record is
// damaged).
Result<TopicFacts> facts_after_reset(const Config& config, const TopicPlan& plan);

// Those that an upgrade writes for topics without: of the order of the states, with times read as
// the first release did unless that was given. Errors: as above, and invalid (another order was
// given).
Result<TopicFacts> facts_of_upgrade(const Config& config, const TopicPlan& plan);

}  // namespace dwell
