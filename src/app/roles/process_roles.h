#pragma once

#include <span>
#include <string>

#include "app/process/process.h"

namespace dwell {

// The roles a process can have, each in a file of its own. Errors: invalid (a setting is wrong).
Result<void> add_clean(Process& process);
Result<void> add_store(Process& process);
Result<void> add_serve(Process& process);

// Runs a process with these roles, logging, until a signal or an error ends it. `name`: the
// command; `listen`: as of Process::run().
using AddRole = Result<void> (*)(Process& process);
Result<void> run_process(const Config& config, const std::string& name, const std::string& listen,
                         std::span<const AddRole> roles);

}  // namespace dwell
