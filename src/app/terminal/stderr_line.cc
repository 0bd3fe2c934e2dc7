#include "app/terminal/stderr_line.h"

#include <array>
#include <climits>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

namespace dwell {

bool write_line_to_stderr(std::string_view line) {
  pollfd place{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&place, 1, 0) != 1 || (place.revents & POLLOUT) == 0) return false;
  // A pipe that can be written to takes so much at once.
  const bool is_long = line.size() > PIPE_BUF;
  if (is_long) line = line.substr(0, PIPE_BUF - 1);
  const std::array<iovec, 2> pieces{{{const_cast<char*>(line.data()), line.size()},
                                     {const_cast<char*>("\n"), is_long ? 1u : 0u}}};
  return ::writev(STDERR_FILENO, pieces.data(), pieces.size()) >= 0;
}

}  // namespace dwell
