#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "app/terminal/terminal.h"
#include "ports/clock.h"
#include "ports/observer.h"

namespace dwell {

// Shows on standard error how far a replay is: a bar that redraws itself on a terminal, else a line
// every few seconds. Bytes of all files together; a stream has no end, so no bar and no time left.
class Progress final : public Observer {
 public:
  Progress(const Terminal& terminal, Clock& clock);

  // The next file, or files: `done` of their `size` bytes were read before, up to `committed`. A
  // size of 0: not known.
  void begin_file(const std::string& name, std::span<const Position> committed, std::uint64_t done,
                  std::uint64_t size);
  void end_file();

  void observe(const Observation& observation) override;

 private:
  void committed(const Unit& unit);
  void show(bool is_final);
  void say(const std::string& line);

  Terminal terminal_;
  Clock& clock_;
  std::string name_;
  std::map<std::string, Offset> reached_;  // by source
  std::uint64_t size_ = 0;
  std::uint64_t start_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t records_ = 0;
  std::chrono::nanoseconds began_{};
  std::chrono::nanoseconds shown_{};
};

}  // namespace dwell
