#include "questions/presence.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/check.h"
#include "questions/carried.h"

namespace dwell {
namespace {

// Devices that are looked at for a page: what bounds the time it takes.
constexpr std::size_t kFewestLookedAt = 1'000;
constexpr std::size_t kMostLookedAt = 20'000;
constexpr std::size_t kCarry = 2;

}  // namespace

boost::asio::awaitable<Result<PresencePage>> presence(RowReader& reader,
                                                      const PresenceQuery& query) {
  CHECK(query.limit >= 1 && query.limit <= kLargestPage);
  const auto view = co_await reader.view(DeviceRange::all());
  if (!view) co_return pass(view);
  Scan scan;
  scan.start = query.at + Milliseconds(1);
  scan.end = query.at;
  scan.carry = kCarry;
  if (query.after) scan.after = ScanPlace{*query.after};
  PresencePage out;
  ScanPage page;
  for (std::size_t looked_at = 0;; looked_at += page.looked_at) {
    scan.limit =
        kCarry * std::clamp(2 * (query.limit - out.inside.size()), kFewestLookedAt, kMostLookedAt);
    if (auto read = co_await (*view)->scan(scan, page); !read) co_return pass(read);
    std::size_t begin = 0;
    for (const ScanPage::Device& device : page.devices) {
      StayFold fold;
      const std::span rows(page.rows.data() + begin, device.carried);
      begin = device.end;
      if (auto carried = co_await carry_in(**view, device.id, rows, fold); !carried) {
        co_return pass(carried);
      }
      if (fold.standing() == Standing::inside) {
        out.inside.push_back({device.id, fold.head()->timestamp});
      }
      if (out.inside.size() < query.limit) continue;
      out.next = device.id;
      co_return out;
    }
    if (!page.next) co_return out;
    scan.after = std::move(page.next);
    if (looked_at + page.looked_at < kMostLookedAt) continue;
    out.next = scan.after->device;
    co_return out;
  }
}

void PresenceWriter::begin(std::string& out) const {
  writer_.begin(out, fmt::format("\"at\":\"{}\",", format_rfc3339(at_)));
}

}  // namespace dwell
