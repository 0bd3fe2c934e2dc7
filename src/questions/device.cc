#include "questions/device.h"

#include "questions/carried.h"

namespace dwell {
namespace {

using Moment = std::optional<Timestamp>;

// When the first enter or exit was; where there is none, the first row of another type.
boost::asio::awaitable<Result<Moment>> first_row(RowView& view, const std::string& id) {
  constexpr std::size_t kPage = 1'000;
  Scan scan;
  scan.devices = DeviceRange::only(id);
  scan.limit = 1;
  Moment first;
  for (ScanPage page;; scan.limit = kPage) {
    if (auto read = co_await view.scan(scan, page); !read) co_return pass(read);
    for (const Row& row : page.rows) {
      if (row.other_type.empty()) co_return Moment(row.timestamp);
      if (!first) first = row.timestamp;
    }
    if (!page.next) co_return first;
    scan.after = std::move(page.next);
  }
}

// The head of the last run.
boost::asio::awaitable<Result<std::optional<Row>>> last_run(RowView& view, const std::string& id) {
  constexpr std::size_t kNewest = 2;
  Scan scan;
  scan.devices = DeviceRange::only(id);
  scan.order = RowOrder::descending;
  scan.limit = kNewest;
  ScanPage page;
  if (auto read = co_await view.scan(scan, page); !read) co_return pass(read);
  StayFold fold;
  if (auto carried = co_await carry_in(view, id, page.rows, fold); !carried) {
    co_return pass(carried);
  }
  co_return fold.head();
}

}  // namespace

boost::asio::awaitable<Result<std::optional<DeviceReport>>> device_report(RowReader& reader,
                                                                          const std::string& id) {
  const auto view = co_await reader.view(DeviceRange::only(id));
  if (!view) co_return pass(view);
  auto outcomes = co_await (*view)->outcomes(id);
  if (!outcomes) co_return pass(outcomes);
  auto run = co_await last_run(**view, id);
  if (!run) co_return pass(run);
  DeviceReport report;
  report.last_run = std::move(*run);
  report.outcomes = *outcomes;
  const auto first = co_await first_row(**view, id);
  if (!first) co_return pass(first);
  if (!*first && !report.outcomes) co_return std::optional<DeviceReport>();
  report.first_seen = *first ? **first : report.outcomes->last_seen;
  co_return std::optional(std::move(report));
}

}  // namespace dwell
