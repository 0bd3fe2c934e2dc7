#include "tests/golden/case_file.h"

#include <gtest/gtest.h>

namespace dwell::golden {
namespace {

std::string problem(const std::string& text) {
  const auto parsed = parse_case("some/folder/bad.case", text);
  return parsed ? "" : parsed.error().message;
}

TEST(CaseFile, ReadsEveryKindOfLine) {
  const auto parsed = parse_case("some/good.case",
                                 "# a comment\n"
                                 "\n"
                                 "set order event_time\n"
                                 "set clock.max_ahead off\n"
                                 "now 2000\n"
                                 "in  cam-1 enter 1000\n"
                                 "out cam-1 enter 1000 seq 1 rank 1\n"
                                 "retract cam-1 exit 3000 seq 2\n"
                                 "raw {\"a\": 1}\n"
                                 "drop malformed\n"
                                 "bytes %00%ffz\n"
                                 "drop ignored heartbeat\n"
                                 "long 70 {\n"
                                 "drop too_large\n"
                                 "row cam-1 enter 1000\n"
                                 "state cam-1 inside since 1000\n"
                                 "state cam-2 unknown\n"
                                 "total promoted 4\n");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->name, "good");
  EXPECT_EQ(parsed->rule.order, Order::event_time);
  EXPECT_FALSE(parsed->rule.max_ahead);
  ASSERT_EQ(parsed->steps.size(), 4u);
  const Step& first = parsed->steps[0];
  EXPECT_EQ(first.bytes, R"({"device_id":"cam-1","event_type":"device_enter","timestamp":1000})");
  EXPECT_EQ(first.line, 6);
  EXPECT_EQ(first.now, from_ms(2000));
  ASSERT_EQ(first.changes.size(), 2u);
  EXPECT_EQ(first.changes[0].change,
            (Change{from_ms(1000), 1, 1, EventType::enter, Operation::insert}));
  EXPECT_EQ(first.changes[1].change,
            (Change{from_ms(3000), 2, 0, EventType::exit, Operation::retract}));
  EXPECT_EQ(parsed->steps[1].bytes, "{\"a\": 1}");
  EXPECT_EQ(parsed->steps[1].outcome, Outcome::malformed);
  EXPECT_EQ(parsed->steps[2].bytes, std::string("\0\xffz", 3));
  EXPECT_EQ(parsed->steps[2].ignored_type, "heartbeat");
  EXPECT_EQ(parsed->steps[3].truncated_from, 70u);
  EXPECT_EQ(parsed->rows.size(), 1u);
  EXPECT_EQ(parsed->states.size(), 2u);
  EXPECT_EQ(parsed->totals.at("promoted"), 4u);
}

TEST(CaseFile, InArrivalOrderTheRankIsTheSeqUnlessGiven) {
  const auto parsed = parse_case("a.case", "in a enter 1\nout a enter 1 seq 7\n");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->steps[0].changes[0].change.rank, 7u);
}

struct BadCase {
  const char* text;
  const char* problem;
};

class BadCaseFile : public testing::TestWithParam<BadCase> {};

TEST_P(BadCaseFile, IsRefusedNamingFileAndLine) {
  EXPECT_EQ(problem(GetParam().text), std::string("some/folder/bad.case:") + GetParam().problem);
}

constexpr BadCase kBadCases[] = {
    {"", "0: a case without a record"},
    {"# nothing\n", "1: a case without a record"},
    {"\nfoo bar\n", "2: unknown line: foo"},
    {"in a enter 1\n", "1: no effect is given for the record in line 1"},
    {"in a enter 1\nin a exit 2\nout a exit 2 seq 1\n",
     "2: no effect is given for the record in line 1"},
    {"in a enter 1\nrow a enter 1\n", "2: no effect is given for the record in line 1"},
    {"in a enters 1\n", "1: neither enter nor exit: enters"},
    {"in a enter 1x\n", "1: the time is not a number: 1x"},
    {"in a enter\n", "1: the time is missing"},
    {"in a enter 1 2\n", "1: too much in the line: 2"},
    {"drop malformed\n", "1: no record stands above"},
    {"in a enter 1\ndrop accepted\n", "2: not a reason: accepted"},
    {"in a enter 1\ndrop because\n", "2: not a reason: because"},
    {"in a enter 1\ndrop ignored\n", "2: the ignored type is missing"},
    {"in a enter 1\ndrop duplicate\nout a enter 1 seq 1\n", "3: the record was dropped"},
    {"in a enter 1\nout a enter 1 seq 1\ndrop duplicate\n", "3: the record was accepted"},
    {"in a enter 1\nout a enter 1\n", "2: seq is missing"},
    {"in a enter 1\nout a enter 1 seq -1\n", "2: the seq is negative"},
    {"in a enter 1\nout a enter 1 seq 1\nrow a enter 1\nout a exit 1 seq 2\n",
     "4: effects stand below their record"},
    {"in a enter 1\nout a enter 1 seq 1\nstate a inside 1\n", "3: `since` was expected"},
    {"in a enter 1\nout a enter 1 seq 1\nstate a upstairs\n", "3: not a value here: upstairs"},
    {"in a enter 1\nout a enter 1 seq 1\ntotal duplicate 0\ntotal duplicate 0\n",
     "4: given twice: duplicate"},
    {"in a enter 1\nout a enter 1 seq 1\nset order arrival\n",
     "3: settings stand before the first record"},
    {"set order random\n", "1: not a value here: random"},
    {"set colour red\n", "1: no such setting: colour"},
    {"set clock.max_ahead never\n", "1: the limit is not a number: never"},
    {"bytes %4\n", "1: % needs two hexadecimal digits"},
    {"bytes %4g\n", "1: % needs two hexadecimal digits"},
};
INSTANTIATE_TEST_SUITE_P(Lines, BadCaseFile, testing::ValuesIn(kBadCases));

}  // namespace
}  // namespace dwell::golden
