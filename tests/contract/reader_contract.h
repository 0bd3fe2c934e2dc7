#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <random>

#include "tests/contract/store_under_test.h"
#include "tests/fakes/one_partition.h"
#include "tests/fakes/questions.h"

namespace dwell {

inline constexpr auto kEnter = EventType::enter;
inline constexpr auto kExit = EventType::exit;

class ReaderContract : public ::testing::TestWithParam<StoreKind> {
 protected:
  void write(const Script& script, const Rule& rule = {}, const RejectBounds& bounds = {},
             std::size_t batch = 7) {
    auto committer = store_->open(rule.order, bounds);
    ASSERT_TRUE(committer) << committer.error().message;
    Fold fold(rule, 1);
    const auto positions = restore_one(**committer, fold);
    ASSERT_TRUE(positions) << positions.error().message;
    for (std::size_t start = 0; start < script.size(); start += batch) {
      const auto records = records_of(script, start, std::min(batch, script.size() - start));
      const std::vector<Position> next = {
          {"script", static_cast<Offset>(start + records.size()), ""}};
      ASSERT_TRUE(commit_one(**committer, fold.fold(records, next), fold));
    }
    auto opened = store_->open_reader();
    ASSERT_TRUE(opened) << opened.error().message;
    reader_ = std::move(*opened);
    answers_.emplace(store_->context(), *reader_);
  }

  std::vector<Row> timeline(const TimelineQuery& query) {
    return answers_->timeline(query).value();
  }
  std::vector<Presence> presence(PresenceQuery query) {
    std::vector<Presence> all;
    for (;;) {
      const auto page = answers_->presence(query);
      EXPECT_TRUE(page) << page.error().message;
      if (!page) return all;
      EXPECT_LE(page->inside.size(), query.limit);
      all.insert(all.end(), page->inside.begin(), page->inside.end());
      if (!page->next) return all;
      EXPECT_GT(*page->next, query.after.value_or("")) << "pages move on";
      query.after = page->next;
    }
  }
  std::vector<RejectedRecord> rejected(const RejectedQuery& query) {
    return store_->open_report().value()->rejected(query).value();
  }
  StoreTotals totals() { return store_->open_report().value()->totals().value(); }

  std::unique_ptr<StoreUnderTest> store_ = GetParam().make();
  std::unique_ptr<RowReader> reader_;
  std::optional<Questions> answers_;
};

inline Row row(std::int64_t ms, EventType type, std::uint64_t seq) {
  return {from_ms(ms), seq, type, seq};
}

// Three devices, each millisecond of a small range used often, so that pages end inside one.
inline Script crowded_script() {
  std::mt19937 random(7);
  Script script;
  for (int i = 0; i < 300; ++i) {
    const std::string device = fmt::format("cam-{}", random() % 3);
    const auto timestamp = static_cast<std::int64_t>(random() % 40);
    script.push_back(
        event_record(device, static_cast<EventType>(random() % 2), timestamp, 1000 + i));
  }
  return script;
}

}  // namespace dwell
