#pragma once

#include <chrono>
#include <thread>

#include "base/result.h"

namespace dwell {

// Asks the brokers until they answer, for so long: of a topic, a group or a cluster that was just
// made, they do not know at once who leads it.
template <typename Ask>
auto keep_asking(std::chrono::milliseconds patience, Ask ask) {
  constexpr std::chrono::milliseconds kPause{100};
  const auto deadline = std::chrono::steady_clock::now() + patience;
  auto answer = ask();
  while (!answer && answer.error().kind == ErrorKind::retry_later &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kPause);
    answer = ask();
  }
  return answer;
}

}  // namespace dwell
