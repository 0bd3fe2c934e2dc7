#include "http/api/traced_reader.h"

#include <utility>

namespace dwell {

// From when it is asked to when it is answered.
class TracedReader::Question {
 public:
  explicit Question(const TracedReader& reader)
      : tracer_(reader.tracer_),
        system_(reader.system_),
        own_(tracer_.begin(tracer_.settings().requests, reader.traceparent_, parent_)),
        start_(std::chrono::system_clock::now()) {}
  ~Question() {
    if (!own_ || !tracer_.takes_span()) return;
    Span span;
    span.context = *own_;
    span.parent = parent_.span;
    span.kind = SpanKind::client;
    span.name = "SELECT device_events_cleaned";
    span.start = start_;
    span.end = std::chrono::system_clock::now();
    span.attributes = {{"db.system.name", std::string(system_)},
                       {"db.collection.name", std::string("device_events_cleaned")},
                       {"db.operation.name", std::string("SELECT")}};
    if (!error_.empty()) {
      span.error = error_;
      span.attributes.emplace_back("error.type", error_);
    }
    tracer_.add(std::move(span));
  }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  void failed(const Error& error) { error_ = name(error.kind); }

 private:
  const Tracer tracer_;
  const std::string_view system_;
  TraceContext parent_;
  std::optional<TraceContext> own_;  // behind `parent_`, which it sets
  Span::Time start_;
  std::string error_;  // its kind
};

class TracedReader::View final : public RowView {
 public:
  View(std::unique_ptr<Question> question, std::unique_ptr<RowView> view)
      : question_(std::move(question)), view_(std::move(view)) {}

  boost::asio::awaitable<Result<void>> scan(const Scan& scan, ScanPage& page) override {
    co_return told(co_await view_->scan(scan, page));
  }
  boost::asio::awaitable<Result<std::optional<OutcomeSummary>>> outcomes(
      const std::string& device) override {
    co_return told(co_await view_->outcomes(device));
  }
  boost::asio::awaitable<Result<StoredUpTo>> stored_up_to() override {
    co_return told(co_await view_->stored_up_to());
  }

 private:
  template <typename T>
  T told(T answer) {
    if (!answer) question_->failed(answer.error());
    return answer;
  }

  std::unique_ptr<Question> question_;
  std::unique_ptr<RowView> view_;
};

boost::asio::awaitable<Result<void>> TracedReader::scan(const Scan& scan, ScanPage& page) {
  Question question(*this);
  auto scanned = co_await reader_.scan(scan, page);
  if (!scanned) question.failed(scanned.error());
  co_return scanned;
}

boost::asio::awaitable<Result<std::unique_ptr<RowView>>> TracedReader::view(
    const DeviceRange& devices) {
  auto question = std::make_unique<Question>(*this);
  auto view = co_await reader_.view(devices);
  if (!view) {
    question->failed(view.error());
    co_return view;
  }
  co_return std::unique_ptr<RowView>(new View(std::move(question), std::move(*view)));
}

}  // namespace dwell
