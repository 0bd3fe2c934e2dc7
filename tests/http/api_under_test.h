#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <thread>

#include "base/awaited.h"
#include "http/api/api.h"
#include "http/api/fair_reader.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/memory_committer.h"
#include "tests/fakes/memory_row_reader.h"
#include "tests/fakes/one_partition.h"
#include "tests/fakes/scripted_source.h"

namespace dwell {

// Questions every submission from a thread of its own, as a pipeline does.
class FakeIntake final : public Intake {
 public:
  void submit(Submission submission, std::function<void(SubmissionResult)> done) override {
    submitted.push_back(submission.bytes);
    const SubmissionResult result =
        error ? SubmissionResult(Failure(*error)) : answer(submission.ends.size());
    threads_.emplace_back([done = std::move(done), result] { done(result); });
  }

  std::vector<std::string> submitted;
  std::optional<Error> error;
  std::vector<Outcome> outcomes;   // of the next submissions; empty: all are accepted
  std::vector<InputPlace> places;  // answered instead of outcomes, when there are any

 private:
  Submitted answer(std::size_t count) const {
    if (!places.empty()) return {.places = places};
    if (!outcomes.empty()) return {.outcomes = outcomes};
    return {.outcomes = std::vector(count, Outcome::accepted)};
  }

  std::vector<std::jthread> threads_;
};

// A reader that fails when told to: from the `good_pages`-th page on.
class FailingReader final : public MemoryRowReader {
 public:
  using MemoryRowReader::MemoryRowReader;

  boost::asio::awaitable<Result<void>> scan(const Scan& scan, ScanPage& page) override {
    if (fails()) co_return Failure(*error);
    co_return co_await MemoryRowReader::scan(scan, page);
  }
  boost::asio::awaitable<Result<std::unique_ptr<RowView>>> view(
      const DeviceRange& devices) override {
    if (fails()) co_return Failure(*error);
    co_return co_await MemoryRowReader::view(devices);
  }

  std::optional<Error> error;
  std::size_t good_pages = 0;

 private:
  bool fails() {
    if (!error) return false;
    if (good_pages == 0) return true;
    --good_pages;
    return false;
  }
};

class ApiTest : public testing::Test {
 protected:
  Routed ask(Request request) {
    std::optional<Routed> answer;
    const auto question = [&]() -> boost::asio::awaitable<void> {
      Routed routed = co_await api_.handle(std::move(request));
      answer.emplace(std::move(routed));
    };
    context_.restart();
    auto work = boost::asio::make_work_guard(context_);
    boost::asio::co_spawn(context_, question, [&](std::exception_ptr thrown) {
      EXPECT_FALSE(thrown);
      work.reset();
    });
    context_.run();
    return answer ? std::move(*answer) : Routed("nobody answered", Reply());
  }
  Reply get(const std::string& target, const std::string& accept = "") {
    Request request;
    request.target = target;
    request.accept = accept;
    return ask(std::move(request)).reply;
  }
  Routed ask(Method method, const std::string& target) {
    Request request;
    request.method = method;
    request.target = target;
    return ask(std::move(request));
  }
  Reply post(const std::string& body, const std::string& query = "",
             const std::string& content_type = "application/json",
             const std::string& content_encoding = "") {
    Request request;
    request.method = Method::post;
    request.target = "/timeline" + query;
    request.content_type = content_type;
    request.content_encoding = content_encoding;
    request.receive_body = [&body](BodySink& sink) -> boost::asio::awaitable<bool> {
      sink.add(body);
      co_return true;
    };
    return ask(std::move(request)).reply;
  }

  // Stores `count` events of a device, enter and exit in turn, one each second from the first.
  void store(const std::string& device, int count) {
    auto committer = MemoryCommitter::open(store_, Order::arrival);
    ASSERT_TRUE(committer);
    Fold fold(Rule{}, 0);
    ASSERT_TRUE(restore_one(**committer, fold));
    Script script;
    for (int i = 0; i < count; ++i) {
      const auto type = i % 2 == 0 ? EventType::enter : EventType::exit;
      script.push_back(event_record(device, type, 1'000 * (i + 1), 10'000'000));
    }
    const auto records = records_of(script, 0, script.size());
    const std::vector<Position> positions = {{"script-" + device, count, ""}};
    ASSERT_TRUE(commit_one(**committer, fold.fold(records, positions), fold));
  }

  MemoryStore store_;
  FailingReader reader_{store_};
  FakeClock clock_{from_ms(5'500)};
  std::vector<std::string> not_ready_;
  boost::asio::io_context context_{1};
  FakeIntake intake_;  // its threads end before the context does
  boost::asio::thread_pool workers_{1};
  FairReader questions_{reader_, reader_, workers_};
  Api api_{{questions_, questions_, intake_, clock_, [this] { return Health{not_ready_}; },
            [] { return std::string("a_metric 1\n"); }}};
};

// The rest of a body that is made piece by piece.
inline Result<void> finish(Reply& reply) {
  for (bool has_more = reply.more != nullptr; has_more;) {
    boost::asio::io_context context(1);
    auto more = awaited(context, reply.more(reply.body));
    if (!more) return pass(more);
    has_more = *more;
  }
  return {};
}

inline std::string header(const Reply& reply, std::string_view name) {
  for (const auto& [known, value] : reply.headers) {
    if (known == name) return value;
  }
  return "";
}

// "status type parameter" of a problem.
inline std::string problem_in(const Reply& reply) {
  EXPECT_EQ(reply.content_type, "application/problem+json");
  const auto body = boost::json::parse(reply.body).as_object();
  EXPECT_EQ(body.at("status"), static_cast<unsigned>(reply.status));
  EXPECT_NE(body.at("detail"), "");
  std::string text = fmt::format("{} {}", static_cast<unsigned>(reply.status),
                                 std::string(body.at("type").as_string()).substr(10));
  if (body.contains("parameter")) text += ' ' + std::string(body.at("parameter").as_string());
  return text;
}

inline std::size_t count_of(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

inline constexpr const char* kEvent =
    R"({"deviceID":"a","eventType":"device_enter","timestamp":"1970-01-01T00:00:01Z"})";

inline std::string events(const std::string& list) {
  return "{\"events\":[" + list + "]}";
}

}  // namespace dwell
