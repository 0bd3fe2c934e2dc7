#include <clocale>
#include <csignal>
#include <fcntl.h>

#include "app/commands/command_line.h"

namespace {

// A closed standard stream would give its number to the next file opened, which then would be read
// as input or written over by output. Taken the wrong way round, each use of it is an error.
void occupy_standard_streams() {
  constexpr int kWays[] = {O_WRONLY, O_RDONLY, O_RDONLY};
  for (int descriptor = 0; descriptor < 3; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) != -1) continue;
    (void)::open("/dev/null", kWays[descriptor]);  // takes the lowest free number: this one
  }
}

}  // namespace

int main(int argc, char** argv) {
  occupy_standard_streams();
  // A file that may not grow any more (ulimit -f) is an error of that write, as a full disk is.
  std::signal(SIGXFSZ, SIG_IGN);
  std::setlocale(LC_CTYPE, "");
  return dwell::run_command_line(argc, argv);
}
