#include <cstdlib>
#include <gtest/gtest.h>

// Each property is tried on random cases; the seed is printed. RC_PARAMS="seed=..." gives it, and
// RC_PARAMS="max_success=100000" makes a long run.
int main(int argc, char** argv) {
  ::setenv("RC_PARAMS", "max_success=1000", 0);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
