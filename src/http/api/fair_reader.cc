#include "http/api/fair_reader.h"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>

#include "base/on_worker.h"

namespace dwell {

namespace asio = boost::asio;

// A view of either reader, which tells errors; of many devices it has the turn, and asks on the
// worker.
class FairReader::View final : public RowView {
 public:
  View(const FairReader& reader, std::unique_ptr<RowView> view, std::optional<Turns::Turn> turn)
      : reader_(reader), turn_(std::move(turn)), view_(std::move(view)) {}

  asio::awaitable<Result<void>> scan(const Scan& scan, ScanPage& page) override {
    return asked(view_->scan(scan, page));
  }
  asio::awaitable<Result<std::optional<OutcomeSummary>>> outcomes(
      const std::string& device) override {
    return asked(view_->outcomes(device));
  }
  asio::awaitable<Result<StoredUpTo>> stored_up_to() override {
    return asked(view_->stored_up_to());
  }

 private:
  template <typename T>
  asio::awaitable<Result<T>> asked(asio::awaitable<Result<T>> question) {
    if (turn_) question = on_worker(reader_.workers_, std::move(question));
    auto answer = co_await std::move(question);
    if (!answer) reader_.on_error_(answer.error());
    co_return answer;
  }

  const FairReader& reader_;
  std::optional<Turns::Turn> turn_;  // ends behind the view
  std::unique_ptr<RowView> view_;
};

asio::awaitable<Result<void>> FairReader::scan(const Scan& scan, ScanPage& page) {
  if (!scan.devices.is_one()) {
    const auto view = co_await this->view(scan.devices);
    if (!view) co_return pass(view);
    co_return co_await (*view)->scan(scan, page);
  }
  std::optional<Turns::Turn> turn;
  if (scan.limit > order_.rows_at_once) {
    auto taken = co_await order_.pages.take();
    if (!taken) co_return pass(taken);
    turn.emplace(std::move(*taken));
  }
  auto answer = co_await reader_.scan(scan, page);
  if (turn) {  // it lasts until all others that are ready have gone on
    const auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
  }
  if (!answer) on_error_(answer.error());
  co_return answer;
}

asio::awaitable<Result<std::unique_ptr<RowView>>> FairReader::view(const DeviceRange& devices) {
  std::optional<Turns::Turn> turn;
  if (!devices.is_one()) {
    // Taken here and not by a queue of the workers: who has left or waits for too long asks no
    // more.
    auto taken = co_await order_.slow_questions.take();
    if (!taken) co_return pass(taken);
    turn.emplace(std::move(*taken));
  }
  auto question = turn ? on_worker(workers_, slow_reader_.view(devices)) : reader_.view(devices);
  auto view = co_await std::move(question);
  if (!view) {
    on_error_(view.error());
    co_return pass(view);
  }
  co_return std::unique_ptr<RowView>(
      std::make_unique<View>(*this, std::move(*view), std::move(turn)));
}

}  // namespace dwell
