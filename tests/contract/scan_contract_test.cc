// What ports/row_reader.h promises of scans: every store gives the same pages put together,
// whatever their limits, and they are what a plain look at all rows gives.
#include <map>

#include "tests/contract/reader_contract.h"

namespace dwell {
namespace {

// The rows of a scan by device: carried ones, and the others.
struct Found {
  std::vector<Row> carried, others;
  friend bool operator==(const Found&, const Found&) = default;
};
using FoundByDevice = std::map<std::string, Found>;

// What is asked of the whole contents.
FoundByDevice expected(const std::map<std::string, std::vector<Row>>& contents, const Scan& scan) {
  FoundByDevice all;
  for (const auto& [device, rows] : contents) {
    if (device < scan.devices.first) continue;
    if (scan.devices.last && device > *scan.devices.last) continue;
    Found found;
    for (const Row& row : rows) {
      if (row.timestamp < scan.start) found.carried.insert(found.carried.begin(), row);
      if (row.timestamp >= scan.start && row.timestamp <= scan.end) found.others.push_back(row);
    }
    if (found.carried.size() > scan.carry) {
      found.carried.erase(found.carried.begin() + static_cast<std::ptrdiff_t>(scan.carry),
                          found.carried.end());
    }
    if (scan.order == RowOrder::descending) {
      std::reverse(found.others.begin(), found.others.end());
    }
    if (!found.carried.empty() || !found.others.empty()) all[device] = found;
  }
  return all;
}

class ScanContract : public ReaderContract {
 protected:
  // All pages of a scan, put together.
  FoundByDevice scanned(Scan scan) {
    FoundByDevice all;
    ScanPage page;
    for (std::size_t pages = 0;; ++pages) {
      EXPECT_LT(pages, 10'000u) << "a scan without end";
      const auto read = awaited(store_->context(), reader_->scan(scan, page));
      EXPECT_TRUE(read) << read.error().message;
      EXPECT_LE(page.rows.size(), scan.limit);
      page.each([&](const std::string& device, auto carried, auto others) {
        EXPECT_TRUE(all.empty() || all.rbegin()->first <= device) << device;
        Found& found = all[device];
        EXPECT_TRUE(carried.empty() || (found.carried.empty() && found.others.empty())) << device;
        found.carried.insert(found.carried.end(), carried.begin(), carried.end());
        found.others.insert(found.others.end(), others.begin(), others.end());
      });
      if (!read || !page.next || pages == 10'000) return all;
      scan.after = page.next;
    }
  }

  // All rows, read device by device without a limit.
  std::map<std::string, std::vector<Row>> contents(std::initializer_list<const char*> devices) {
    std::map<std::string, std::vector<Row>> all;
    for (const char* device : devices) {
      all[device] = timeline({.device = device, .limit = kLargestPage});
    }
    return all;
  }
};

TEST_P(ScanContract, PagesOfEveryLimitPutTogetherAreTheWholeScan) {
  write(crowded_script());
  const auto all = contents({"cam-0", "cam-1", "cam-2"});
  const DeviceRange ranges[] = {DeviceRange::all(),
                                DeviceRange::only("cam-1"),
                                DeviceRange::only("cam-11"),
                                {"cam-1", std::nullopt},
                                {"cam-0", "cam-1"}};
  const std::pair<int, int> windows[] = {{0, 40}, {3, 20}, {21, 20}, {40, 39}, {20, 20}, {0, -1}};
  for (const DeviceRange& range : ranges) {
    for (const auto& [start, end] : windows) {
      for (std::size_t carry = 0; carry <= 2; ++carry) {
        Scan scan;
        scan.devices = range;
        scan.start = from_ms(start);
        scan.end = from_ms(end);
        scan.carry = carry;
        const auto whole = expected(all, scan);
        for (scan.limit = carry + 1; scan.limit <= 40; scan.limit += 1 + scan.limit / 8) {
          EXPECT_EQ(scanned(scan), whole)
              << range.first << " to " << range.last.value_or("the end") << ", " << start << " to "
              << end << ", carry " << carry << ", limit " << scan.limit;
        }
        scan.limit = kLargestPage;
        EXPECT_EQ(scanned(scan), whole);
      }
    }
  }
}

TEST_P(ScanContract, ManyDevicesComeInTheOrderOfTheirBytes) {
  Script script;
  for (int i = 0; i < 500; ++i) {
    script.push_back(event_record(fmt::format("cam {}", i), kEnter, 1000 + i, 9000));
  }
  write(script);
  Scan scan;
  scan.start = from_ms(5'000);
  scan.carry = 2;
  for (const std::size_t limit : {3, 7, 100, 10'000}) {
    scan.limit = limit;
    EXPECT_THAT(scanned(scan), ::testing::SizeIs(500)) << limit;
  }
}

TEST_P(ScanContract, AViewIsOneMomentWhateverIsCommittedMeanwhile) {
  write({event_record("cam-1", kEnter, 1000, 9000), event_record("cam-2", kEnter, 1000, 9000)});
  const auto earlier = std::move(reader_);
  auto view = awaited(store_->context(), earlier->view(DeviceRange::all()));
  ASSERT_TRUE(view) << view.error().message;
  Scan scan;
  ScanPage page;
  const auto rows = [&] {
    EXPECT_TRUE(awaited(store_->context(), (*view)->scan(scan, page)));
    return page.rows.size();
  };
  EXPECT_EQ(rows(), 2u);
  const auto before = awaited(store_->context(), (*view)->stored_up_to()).value();
  write({event_record("cam-1", kExit, 2000, 9000)});
  EXPECT_EQ(rows(), 2u);
  EXPECT_EQ(awaited(store_->context(), (*view)->stored_up_to()).value(), before);
  EXPECT_EQ(awaited(store_->context(), (*view)->outcomes("cam-1")).value()->accepted, 1u);
  view->reset();
  auto later = awaited(store_->context(), earlier->view(DeviceRange::all()));
  ASSERT_TRUE(later);
  EXPECT_GT(awaited(store_->context(), (*later)->stored_up_to()).value(), before);
  ASSERT_TRUE(awaited(store_->context(), (*later)->scan(scan, page)));
  EXPECT_EQ(page.rows.size(), 3u);
}

INSTANTIATE_TEST_SUITE_P(Stores, ScanContract, ::testing::ValuesIn(all_stores()),
                         [](const auto& info) { return std::string(info.param.name); });

// The same events in every store of this program: the same answers, whatever is asked.
TEST(StoresCompared, GiveTheSameAnswers) {
  struct Opened {
    std::unique_ptr<StoreUnderTest> store;
    std::unique_ptr<RowReader> reader;
  };
  for (const Order order : {Order::arrival, Order::event_time}) {
    std::map<std::string, std::vector<std::string>> answers;
    for (const StoreKind& kind : all_stores()) {
      const auto store = kind.make();
      Rule rule = small_rule(order);
      auto committer = store->open(order);
      ASSERT_TRUE(committer) << committer.error().message;
      Fold fold(rule, 1);
      ASSERT_TRUE(restore_one(**committer, fold));
      Script script = mixed_script();
      const Script more = crowded_script();
      script.insert(script.end(), more.begin(), more.end());
      const auto records = records_of(script, 0, script.size());
      const std::vector<Position> next = {{"script", static_cast<Offset>(script.size()), ""}};
      ASSERT_TRUE(commit_one(**committer, fold.fold(records, next), fold));
      auto reader = store->open_reader();
      ASSERT_TRUE(reader) << reader.error().message;
      Questions asked(store->context(), **reader);
      auto& lines = answers[kind.name];
      for (const std::string& device : devices_of(fold)) {
        const auto report = asked.device(device).value().value();
        lines.push_back(fmt::format("{}: {} since {}, first {}, accepted {}", device,
                                    report.last_run ? report.last_run->type_name() : "unknown",
                                    report.last_run ? to_ms(report.last_run->timestamp) : -1,
                                    to_ms(report.first_seen), report.outcomes->accepted));
        for (const RowOrder direction : {RowOrder::ascending, RowOrder::descending}) {
          const auto rows = asked.timeline({.device = device, .order = direction});
          for (const Row& row : rows.value()) {
            lines.push_back(fmt::format("{} {} {} {}", device, to_ms(row.timestamp), row.rank,
                                        row.type_name()));
          }
        }
      }
      for (const std::int64_t at : {0, 5, 17, 40, 1'000, 2'500, 8'000, 1'000'000'000}) {
        const auto page = asked.presence({.at = from_ms(at)}).value();
        for (const Presence& inside : page.inside) {
          lines.push_back(
              fmt::format("at {}: {} since {}", at, inside.device, to_ms(inside.since)));
        }
      }
      EXPECT_GT(lines.size(), 50u);
    }
    for (const auto& [name, lines] : answers) EXPECT_EQ(lines, answers.at("memory")) << name;
  }
}

}  // namespace
}  // namespace dwell
