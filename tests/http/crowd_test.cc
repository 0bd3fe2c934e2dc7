// Many clients that ask for much at one time hold up nobody else.
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <thread>

#include "http/api/api.h"
#include "http/api/fair_reader.h"
#include "http/wire/server.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/memory_row_reader.h"

namespace dwell {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::size_t kCrowd = 100;

class NoIntake final : public Intake {
 public:
  void submit(Submission, std::function<void(SubmissionResult)> done) override {
    done(fail(ErrorKind::retry_later, "closed"));
  }
};

// Timelines without end, and questions about many devices that wait to be let through.
class EndlessReader final : public RowReader {
 public:
  asio::awaitable<Result<void>> scan(const Scan& scan, ScanPage& page) override {
    ++pages;
    page.clear();
    const std::string& device = scan.devices.first;
    const auto start = scan.after ? scan.after->row->timestamp : kEarliest;
    for (std::size_t i = 1; i <= scan.limit; ++i) {
      page.rows.push_back(
          {start + Milliseconds(i), 0, i % 2 ? EventType::enter : EventType::exit, i});
    }
    page.devices.push_back({device, 0, page.rows.size()});
    page.next = ScanPlace{device, page.rows.back()};
    co_return Result<void>();
  }
  asio::awaitable<Result<std::unique_ptr<RowView>>> view(const DeviceRange&) override {
    ++questions;
    is_let_through_.wait();
    co_return co_await MemoryRowReader(store_).view(DeviceRange::all());
  }

  void let_through() {
    if (!std::exchange(is_open_, true)) gate_.set_value();
  }

  std::atomic<std::size_t> pages = 0;
  std::atomic<std::size_t> questions = 0;

 private:
  MemoryStore store_;
  std::promise<void> gate_;
  std::shared_future<void> is_let_through_{gate_.get_future()};
  bool is_open_ = false;
};

class CrowdTest : public testing::Test {
 protected:
  explicit CrowdTest(const Turns::Bounds& slow = {10, std::chrono::minutes(1)})
      : order_{1'001, Turns(Turns::Bounds()), Turns(slow)} {}

  void SetUp() override {
    const auto listening = server_.listen("127.0.0.1:0");
    ASSERT_TRUE(listening) << listening.error().message;
    thread_ = std::jthread([this] { server_.run(); });
  }
  void TearDown() override {
    reader_.let_through();
    asio::post(context_, [this] { server_.stop(); });
    context_.stop();
  }

  tcp::socket ask(const std::string& target) {
    tcp::socket socket(client_);
    const auto port = server_.address().substr(server_.address().rfind(':') + 1);
    socket.connect(
        {asio::ip::make_address("127.0.0.1"), static_cast<std::uint16_t>(std::stoi(port))});
    asio::write(socket, asio::buffer("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"));
    return socket;
  }
  // What comes up to `end`, or to the end of the connection; "" where that takes over ten seconds.
  static std::string received(tcp::socket& socket, std::string_view end) {
    const timeval patience{10, 0};
    ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    std::string all;
    while (end.empty() || all.find(end) == std::string::npos) {
      char byte = 0;
      const auto size = ::recv(socket.native_handle(), &byte, 1, 0);
      if (size < 0) return "";
      if (size == 0) return all + "(end)";
      all += byte;
    }
    return all;
  }
  static std::string head_of_answer(tcp::socket& socket) { return received(socket, "\r\n\r\n"); }
  static bool is_ended(tcp::socket& socket) { return received(socket, "") == "(end)"; }
  // The pages that are read before a client that comes behind a crowd has its answer.
  std::size_t pages_before_an_answer(const std::string& target) {
    std::vector<tcp::socket> crowd;
    for (std::size_t i = 0; i < kCrowd; ++i) crowd.push_back(ask(target));
    const std::size_t before = reader_.pages;
    tcp::socket other = ask("/livez");
    EXPECT_THAT(head_of_answer(other), StartsWith("HTTP/1.1 200 "));
    return reader_.pages - before;
  }

  // As the service has it: all pages of streams but the first take turns.
  static FairReader::Order streaming(FairReader::Order order) {
    order.rows_at_once = 0;
    return order;
  }

  EndlessReader reader_;
  FakeClock clock_;
  NoIntake intake_;
  asio::io_context client_;
  asio::io_context context_{1};
  asio::thread_pool workers_{1};
  FairReader::Order order_;
  FairReader questions_{reader_, reader_, workers_, [](const Error&) {}, order_};
  FairReader streams_{reader_, reader_, workers_, [](const Error&) {}, streaming(order_)};
  Api api_{{questions_, streams_, intake_, clock_, [] { return Health(); },
            [] { return std::string(); }}};
  Server server_{context_, [this](Request request) { return api_.handle(std::move(request)); },
                 ServerLimits(), [](const Server::Answered&) {}};
  std::jthread thread_;
};

// Each has a first page at once; of the further ones few are read.
TEST_F(CrowdTest, StreamsThatFillTheirBuffersDoNotHoldUpOthers) {
  EXPECT_LT(pages_before_an_answer("/timeline/a"), 2 * kCrowd);
}

TEST_F(CrowdTest, LongPagesDoNotHoldUpOthers) {
  EXPECT_LT(pages_before_an_answer("/timeline/a?limit=10000"), kCrowd / 2);
}

TEST_F(CrowdTest, AQuestionWhoseClientHasLeftIsNotWorkedOff) {
  tcp::socket first = ask("/presence");
  std::vector<tcp::socket> leaving;
  for (int i = 0; i < 5; ++i) {
    leaving.push_back(ask("/presence"));
    leaving.back().shutdown(tcp::socket::shutdown_send);
  }
  for (tcp::socket& socket : leaving) EXPECT_TRUE(is_ended(socket));
  reader_.let_through();
  EXPECT_THAT(head_of_answer(first), StartsWith("HTTP/1.1 200 "));
  tcp::socket last = ask("/presence");
  EXPECT_THAT(head_of_answer(last), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(reader_.questions, 2u);
}

class ImpatientCrowdTest : public CrowdTest {
 protected:
  ImpatientCrowdTest() : CrowdTest({3, std::chrono::milliseconds(50)}) {}
};

TEST_F(ImpatientCrowdTest, QuestionsWaitForABoundedTimeAndInABoundedNumber) {
  tcp::socket first = ask("/presence");
  std::vector<tcp::socket> others;
  for (int i = 0; i < 9; ++i) others.push_back(ask("/presence"));
  std::size_t late = 0;
  for (tcp::socket& socket : others) {
    const auto answer = received(socket, "}\n");
    EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("\r\nRetry-After: ")));
    late += answer.find("waited 50 ms") != std::string::npos;
  }
  EXPECT_GE(late, 3u);  // the others found three waiting
  reader_.let_through();
  EXPECT_THAT(head_of_answer(first), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(reader_.questions, 1u);
}

}  // namespace
}  // namespace dwell
