#include "questions/carried.h"

namespace dwell {
namespace {

constexpr std::size_t kFirstPage = 16;
constexpr std::size_t kPage = 1'000;

// Reads back from `last` until the fold is content or there are no older rows.
boost::asio::awaitable<Result<void>> read_back(RowView& view, const std::string& device,
                                               const Row& last, StayFold& fold) {
  Scan scan;
  scan.devices = DeviceRange::only(device);
  scan.end = last.timestamp;
  scan.order = RowOrder::descending;
  scan.after = ScanPlace{device, last};
  scan.limit = kFirstPage;
  for (ScanPage page;; scan.limit = kPage) {
    if (auto read = co_await view.scan(scan, page); !read) co_return read;
    if (fold.carry(page.rows) || !page.next) co_return Result<void>();
    scan.after = std::move(page.next);
  }
}

}  // namespace

boost::asio::awaitable<Result<void>> carry_in(RowView& view, const std::string& device,
                                              std::span<const Row> newest_first, StayFold& fold) {
  if (fold.carry(newest_first) || newest_first.size() < 2) co_return Result<void>();
  co_return co_await read_back(view, device, newest_first.back(), fold);
}

boost::asio::awaitable<Result<StayFold>> carried_until(RowReader& reader, const std::string& device,
                                                       Timestamp start) {
  const auto view = co_await reader.view(DeviceRange::only(device));
  if (!view) co_return pass(view);
  Scan scan;
  scan.devices = DeviceRange::only(device);
  scan.start = start;
  scan.end = start - Milliseconds(1);
  scan.carry = 2;
  ScanPage page;
  if (auto read = co_await (*view)->scan(scan, page); !read) co_return pass(read);
  StayFold fold;
  if (auto carried = co_await carry_in(**view, device, page.rows, fold); !carried) {
    co_return pass(carried);
  }
  co_return fold;
}

}  // namespace dwell
