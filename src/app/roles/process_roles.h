#pragma once

#include <span>
#include <string>

#include "app/process/process.h"
#include "pipeline/runner.h"

namespace dwell {

// The roles a process can have, each in a file of its own. Errors: invalid (a setting is wrong).
Result<void> add_clean(Process& process);
Result<void> add_store(Process& process);
Result<void> add_serve(Process& process);

// What a process that stores does besides: keeps what became of each device's events, and drops or
// compresses old rows where that is set.
void add_outcomes(Process& process, const std::string& instance);
void add_upkeep(Process& process);

// How a member of a group runs its stage: whatever fails ends the membership, and the next one goes
// on where the last commit was.
inline RunnerOptions joining_again() {
  RunnerOptions options;
  options.partitions.clear();
  options.give_up_after = Milliseconds{0};
  return options;
}

// Runs a process with these roles, logging, until a signal or an error ends it. `name`: the
// command; `listen`: as of Process::run().
using AddRole = Result<void> (*)(Process& process);
Result<void> run_process(const Config& config, const std::string& name, const std::string& listen,
                         std::span<const AddRole> roles);

}  // namespace dwell
