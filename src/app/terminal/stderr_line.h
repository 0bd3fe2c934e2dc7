#pragma once

#include <string_view>

namespace dwell {

// Writes a line to standard error without ever waiting: whoever reads it may have stopped, as a
// terminal after Ctrl-S or a log shipper that hangs, and no service stands still for that. False:
// nobody takes it now. Cut where it is longer than what a pipe takes at once. Any thread, and safe
// in a signal handler.
bool write_line_to_stderr(std::string_view line);

}  // namespace dwell
