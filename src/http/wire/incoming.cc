#include "http/wire/incoming.h"

#include <algorithm>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <tuple>

#include "base/await.h"

namespace dwell {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Doing = Connection::Doing;

constexpr std::size_t kPiece = 16 << 10;  // of a body, read at a time

// A handler whose client may have left is looked at when it takes longer.
constexpr std::chrono::milliseconds kBeforeLookingAtClient{500};

}  // namespace

void Framing::operator()(std::uint64_t size, boost::core::string_view,
                         boost::system::error_code& error) {
  error = {};
  std::size_t shortest = 5;  // a digit and the ends of two lines
  for (auto rest = size >> 4; rest > 0; rest >>= 4) ++shortest;
  shortest_ += shortest;
}

Incoming::Incoming(Connection& connection, const ServerLimits& limits,
                   const KnownHosts& known_hosts, std::shared_ptr<std::size_t> bytes_in_all)
    : connection_(connection),
      limits_(limits),
      known_hosts_(known_hosts),
      share_(std::move(bytes_in_all)) {
  parser_.header_limit(static_cast<std::uint32_t>(limits_.header_bytes));
  parser_.body_limit(limits_.body_bytes);
}

// Why a request could not even be read, as an answer; empty when there is nobody to answer.
std::optional<Reply> Incoming::refusal(const boost::system::error_code& error) const {
  if (error == http::error::header_limit) {
    return is_in_first_line()
               ? target_too_long()
               : problem(Status::request_header_fields_too_large, "header-too-large",
                         fmt::format("the head is longer than {} bytes", limits_.header_bytes));
  }
  if (error == http::error::body_limit) {
    return problem(Status::payload_too_large, "body-too-large",
                   fmt::format("the body is longer than {} bytes; send fewer events at a time",
                               limits_.body_bytes));
  }
  if (error == asio::error::operation_aborted) {  // by whoever keeps the deadlines
    return problem(Status::request_timeout, "too-slow", "the request took too long to arrive");
  }
  const bool is_gone = error == http::error::end_of_stream ||
                       error == http::error::partial_message ||
                       error.category() != make_error_code(http::error::bad_method).category();
  if (is_gone) return std::nullopt;
  return problem(Status::bad_request, "bad-request", "this is not HTTP: " + error.message());
}

// Whether a head that is too long did not even get to the end of its first line.
bool Incoming::is_in_first_line() const {
  const auto bytes = connection_.unread.data();
  const std::string_view text(static_cast<const char*>(bytes.data()), bytes.size());
  return head().target().empty() && text.find('\n') == std::string_view::npos;
}

// Of what is there: nearly always all of it. Errors: need_more, and those of reading one.
boost::system::error_code Incoming::parse_head() {
  boost::system::error_code error;
  parser_.eager(false);
  connection_.unread.consume(parser_.put(connection_.unread.data(), error));
  return error;
}

asio::awaitable<bool> Incoming::receive_head() {
  connection_.start(Doing::receiving, limits_.head);
  auto error = parse_head();
  if (error == http::error::need_more) {
    std::tie(error, std::ignore) =
        co_await http::async_read_header(connection_.socket, connection_.unread, parser_, kAwait);
  }
  is_lost_ = true;
  if (error) {
    refusal_ = refusal(error);
    co_return false;
  }
  refusal_ = find_ambiguity(head());
  if (!refusal_) refusal_ = known_hosts_.find_stranger(head());
  is_lost_ = refusal_.has_value();
  connection_.start(Doing::handling, kBeforeLookingAtClient);
  co_return !is_lost_;
}

// Of what is there, all that can be. Sets the refusal where there is too much of it.
boost::system::error_code Incoming::parse_body() {
  boost::system::error_code error;
  if (connection_.unread.size() == 0) return error;
  const auto parsed = parser_.put(connection_.unread.data(), error);
  connection_.unread.consume(parsed);
  framing_.add_parsed(parsed);
  if (error == http::error::need_more) error = {};
  const auto& body = parser_.get().body();
  if (!error && body.sink && body.sink->is_too_large()) error = http::error::body_limit;
  if (error || parser_.is_done()) return error;

  // What is unread is the beginning of a chunk's head, or of trailers.
  if (framing_.size(body.size) + connection_.unread.size() > limits_.framing_bytes) {
    refusal_ = problem(Status::bad_request, "bad-request",
                       fmt::format("the chunks of the body take more than {} bytes beyond what "
                                   "they carry; send fewer extensions and trailers",
                                   limits_.framing_bytes));
  }
  // What has come of a body counts, or what is held of it, which may be more; not what was
  // announced: silent clients hold nobody up.
  const auto held = (body.sink ? body.sink->memory() : 0) + connection_.unread.capacity();
  share_.become(std::max<std::size_t>(body.size, held));
  if (share_.sum() > limits_.body_bytes_in_all) {
    refusal_ = problem(Status::service_unavailable, "too-many-bodies",
                       "too many large requests at one time");
  }
  return error;
}

asio::awaitable<bool> Incoming::receive_body(BodySink* sink) {
  if (is_lost_ || parser_.is_done()) co_return !is_lost_;
  connection_.start(Doing::receiving, limits_.body);
  if (expects_continue(head())) {
    http::response<http::empty_body> go_on(Status::continue_, 11);
    co_await http::async_write(connection_.socket, go_on, kAwait);
  }
  parser_.eager(true);
  parser_.on_chunk_header(framing_);
  parser_.get().body().sink = sink;
  auto error = parse_body();
  while (!error && !refusal_ && !parser_.is_done()) {
    const auto space = connection_.unread.prepare(kPiece);
    const auto [read_error, size] = co_await connection_.socket.async_read_some(space, kAwait);
    connection_.unread.commit(size);
    error = read_error ? read_error : parse_body();
  }
  if (error) refusal_ = refusal(error);
  parser_.get().body().sink = nullptr;
  is_lost_ = error || refusal_;
  // Given back at once, or the others would be refused for what this one had.
  if (is_lost_) share_.become(0);
  connection_.start(Doing::handling, kBeforeLookingAtClient);
  co_return !is_lost_;
}

}  // namespace dwell
