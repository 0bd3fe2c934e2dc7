#pragma once

#include "app/commands/command_set.h"

namespace dwell {

// `dwell store reset`: forgets how far the cleaned topic was read.
void add_store_reset(CommandSet& commands, Command store);

}  // namespace dwell
