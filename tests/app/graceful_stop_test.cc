#include "app/process/graceful_stop.h"

#include <gtest/gtest.h>
#include <thread>

namespace dwell {
namespace {

using namespace std::chrono_literals;

void wait_for_ever() {
  for (;;) std::this_thread::sleep_for(1h);
}

TEST(GracefulStop, WhatHoldsUpTheEndIsCutShort) {
  EXPECT_EXIT(
      {
        end_within(50ms, 3);
        wait_for_ever();
      },
      testing::ExitedWithCode(3), "took too long and was cut short; what was committed is safe");
}

TEST(GracefulStop, TheFirstReasonToEndSetsTheStatus) {
  EXPECT_EXIT(
      {
        end_within(50ms, 2);
        end_within(1h, 0);
        wait_for_ever();
      },
      testing::ExitedWithCode(2), "");
}

TEST(GracefulStop, WhatIsCalledOffDoesNotCome) {
  EXPECT_EXIT(
      {
        end_within(50ms, 3);
        call_off_end();
        std::this_thread::sleep_for(200ms);
        std::_Exit(0);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace dwell
