#include "telemetry/trace_context.h"

#include <gmock/gmock.h>

namespace dwell {
namespace {

const std::string kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceContext, IsReadAndWritten) {
  const auto context = parse_traceparent(kParent);
  ASSERT_TRUE(context);
  EXPECT_TRUE(context->is_sampled());
  EXPECT_EQ(context->trace[0], 0x0a);
  EXPECT_EQ(context->span[7], 0x31);
  EXPECT_EQ(format_traceparent(*context), kParent);
}

TEST(TraceContext, RefusesWhatIsNone) {
  const std::vector<std::string> refused{
      "",
      "00",
      kParent.substr(0, 54),
      kParent + "-more",                                          // version 00 has nothing more
      "ff" + kParent.substr(2),                                   // no version
      "00-00000000000000000000000000000000-b7ad6b7169203331-01",  // no trace
      "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",  // no span
      "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",  // upper case
      "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
      std::string(55, '-'),
      std::string(55, '\0'),
  };
  for (const auto& text : refused) EXPECT_FALSE(parse_traceparent(text)) << text;
}

TEST(TraceContext, OfALaterVersionIsReadAsFarAsItIsKnown) {
  EXPECT_TRUE(parse_traceparent("01" + kParent.substr(2)));
  EXPECT_TRUE(parse_traceparent("01" + kParent.substr(2) + "-more"));
  EXPECT_FALSE(parse_traceparent("01" + kParent.substr(2) + "more"));
}

TEST(TraceContext, OneCharacterTellsWhetherItIsSampled) {
  for (int flags = 0; flags < 256; ++flags) {
    const auto text = kParent.substr(0, 53) + fmt::format("{:02x}", flags);
    ASSERT_EQ(looks_sampled(text), parse_traceparent(text)->is_sampled()) << text;
  }
  EXPECT_FALSE(looks_sampled("1"));
}

TEST(TraceContext, TheSpanOfAPlaceIsTheSameAtEachTry) {
  const auto trace = trace_of("device-events/3@17");
  EXPECT_EQ(trace, trace_of("device-events/3@17"));
  EXPECT_NE(trace, trace_of("device-events/3@18"));
  EXPECT_EQ(span_of(trace, "clean device-events/3@17"), span_of(trace, "clean device-events/3@17"));
  EXPECT_NE(span_of(trace, "clean device-events/3@17"), span_of(trace, "store device-events/3@17"));
  EXPECT_NE(span_of(trace, "a"), span_of(trace_of("b"), "a"));
  EXPECT_NE(random_trace(), random_trace());
  EXPECT_NE(random_span(), random_span());
}

}  // namespace
}  // namespace dwell
