#include <clocale>

#include "app/command_line.h"

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");
  return dwell::run_command_line(argc, argv);
}
