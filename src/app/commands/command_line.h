#pragma once

namespace dwell {

// Parses the command line and runs the command. Returns the exit status: 0 done, 1 the command
// failed, 2 the command line or a setting is wrong. Errors go to standard error.
int run_command_line(int argc, char** argv);

}  // namespace dwell
