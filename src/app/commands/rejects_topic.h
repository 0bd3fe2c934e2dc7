#pragma once

#include "app/commands/command_set.h"

namespace dwell {

// What `dwell rejects` does with the rejected topic, where it does not mean the SQLite file.
void add_rejects_of_topic(CommandSet& commands, Command rejects);

// The outcomes that are a reason to reject a record.
std::vector<std::string> rejection_reasons();

}  // namespace dwell
