#pragma once

#include "app/process.h"

namespace dwell {

// The roles a process can have, each in a file of its own. Errors: invalid (a setting is wrong).
Result<void> add_clean(Process& process);
Result<void> add_store(Process& process);
Result<void> add_serve(Process& process);

}  // namespace dwell
