#pragma once

#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>

#include "http/wire/turns.h"
#include "ports/row_reader.h"

namespace dwell {

// Shares readers that answer where they are asked, at once, among the coroutines of one thread:
// questions about one device are answered on that thread, those about many on `workers`. Borrows
// all.
class FairReader final : public RowReader {
 public:
  // Told of every error, on the thread that asks.
  using OnError = std::function<void(const Error& error)>;

  // What has to wait for its turn, so that others get theirs. Copies share it.
  struct Order {
    std::size_t rows_at_once = 1'000;  // a page of more rows waits for other such pages
    Turns pages{Turns::Bounds()};
    Turns slow_questions{{1'000, std::chrono::seconds(10)}};
  };

  // `slow_reader` is used on `workers` alone, which has one thread.
  FairReader(
      RowReader& reader, RowReader& slow_reader, boost::asio::thread_pool& workers,
      OnError on_error = [](const Error&) {})
      : FairReader(reader, slow_reader, workers, std::move(on_error), Order()) {}
  FairReader(RowReader& reader, RowReader& slow_reader, boost::asio::thread_pool& workers,
             OnError on_error, const Order& order)
      : reader_(reader),
        slow_reader_(slow_reader),
        workers_(workers),
        on_error_(std::move(on_error)),
        order_(order) {}

  boost::asio::awaitable<Result<void>> scan(const Scan& scan, ScanPage& page) override;
  boost::asio::awaitable<Result<std::unique_ptr<RowView>>> view(
      const DeviceRange& devices) override;

 private:
  class View;

  RowReader& reader_;
  RowReader& slow_reader_;
  boost::asio::thread_pool& workers_;
  OnError on_error_;
  Order order_;
};

}  // namespace dwell
