#include "app/commands/command_line.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fmt/format.h>

#include "app/commands/commands.h"
#include "app/process/log.h"
#include "app/terminal/exit_status.h"
#include "app/terminal/output.h"
#include "telemetry/telemetry.h"

namespace dwell {

int run_command_line(int argc, char** argv) try {
  CommandSet commands;
  for (const auto add :
       {add_run, add_clean, add_store, add_serve, add_topics, add_migrate, add_replay, add_timeline,
        add_who, add_rejects, add_generate, add_check, add_config, add_version}) {
    add(commands);
  }
  const int status = commands.run(argc, argv);
  if (Telemetry::is_left_behind()) {
    std::fflush(nullptr);
    std::_Exit(status);
  }
  return status;
} catch (const std::exception& error) {
  // What the system does not give: memory, threads.
  const auto message =
      fmt::format("{}; raise the limits of this process (ulimit -a)", error.what());
  if (!tell_in_json_log(message)) tell(fmt::format("dwell: {}\n", message));
  return kFailed;
}

}  // namespace dwell
