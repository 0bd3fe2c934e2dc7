#pragma once

#include "app/commands/command_set.h"

namespace dwell {

// `dwell topics describe`: offsets, settings and how far the groups are.
Result<void> describe_topics(const Config& config, Format format);

}  // namespace dwell
