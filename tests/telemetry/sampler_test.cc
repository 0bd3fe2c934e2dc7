#include "telemetry/sampler.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

TraceContext parent(std::uint8_t flags) {
  return {trace_of("parent"), SpanId{1}, flags};
}

TEST(Sampler, TakesTheRatioOfRoots) {
  const Sampler sampler(0.25, true);
  int taken = 0;
  constexpr int kAll = 20'000;
  for (int i = 0; i < kAll; ++i) taken += sampler.takes_root(trace_of(std::to_string(i))) ? 1 : 0;
  EXPECT_NEAR(taken, kAll / 4, 400);
}

TEST(Sampler, FollowsTheParentOnlyIfItIsToldTo) {
  EXPECT_TRUE(Sampler(0, true).takes_child(parent(1)));
  EXPECT_FALSE(Sampler(1, true).takes_child(parent(0)));
  EXPECT_FALSE(Sampler(0, false).takes_child(parent(1)));
  EXPECT_TRUE(Sampler(1, false).takes_child(parent(0)));
}

TEST(Sampler, HasTheStandardNames) {
  EXPECT_TRUE(sampler_of("always_on", 0)->takes_root(trace_of("a")));
  EXPECT_FALSE(sampler_of("always_off", 1)->takes_roots());
  EXPECT_TRUE(sampler_of("parentbased_always_off", 1)->takes_child(parent(1)));
  EXPECT_FALSE(sampler_of("traceidratio", 0)->takes_child(parent(1)));
  EXPECT_TRUE(sampler_of("parentbased_traceidratio", 1)->takes_root(trace_of("a")));
  for (const char* none : {"", "jaeger_remote", "parentbased_", "ALWAYS_ON"}) {
    EXPECT_FALSE(sampler_of(none, 1)) << none;
  }
}

}  // namespace
}  // namespace dwell
