#include "http/wire/wire.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <ctime>
#include <fmt/chrono.h>
#include <optional>
#include <tuple>

#include "base/await.h"
#include "http/wire/gzip.h"

namespace dwell {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr std::size_t kSmallestGzip = 1'024;  // bytes; below, headers outweigh the gain

// The Date header, made once a second.
const std::string& date_now() {
  thread_local std::time_t second = -1;
  thread_local std::string text;
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  if (now != second) {
    second = now;
    text = fmt::format("{:%a, %d %b %Y %H:%M:%S GMT}", fmt::gmtime(now));
  }
  return text;
}

template <typename Body>
http::response<Body> head_of(const Reply& reply, const Exchange& exchange) {
  http::response<Body> response(reply.status, exchange.takes_chunks ? 11 : 10);
  response.set(http::field::date, date_now());
  response.set(http::field::server, "dwell");
  if (!reply.content_type.empty()) response.set(http::field::content_type, reply.content_type);
  for (const auto& [name, value] : reply.headers) response.set(name, value);
  response.keep_alive(exchange.keeps_alive);
  return response;
}

asio::awaitable<bool> write_whole(tcp::socket& socket, Reply reply, const Exchange& exchange) {
  auto response = head_of<http::string_body>(reply, exchange);
  const bool is_worth_it = reply.body.size() >= kSmallestGzip;
  if (is_worth_it && response.count(http::field::vary) == 0) {
    response.set(http::field::vary, "Accept-Encoding");
  }
  if (exchange.takes_gzip && is_worth_it) {
    std::string compressed;
    Gzip().add(reply.body, true, compressed);
    reply.body = std::move(compressed);
    response.set(http::field::content_encoding, "gzip");
  }
  response.body() = std::move(reply.body);
  if (reply.status != Status::no_content) response.prepare_payload();
  if (exchange.is_head) {
    http::response<http::empty_body> head(std::move(response.base()));
    const auto [error, size] = co_await http::async_write(socket, head, kAwait);
    co_return !error && exchange.keeps_alive;
  }
  http::response_serializer<http::string_body> serializer(response);
  boost::system::error_code error;
  // At once, if the socket takes it, as it nearly always does.
  while (!error && !serializer.is_done()) http::write_some(socket, serializer, error);
  if (error == asio::error::would_block) {
    std::tie(error, std::ignore) = co_await http::async_write(socket, serializer, kAwait);
  }
  co_return !error && exchange.keeps_alive;
}

// The body in chunks as it is made; to an HTTP/1.0 client as bytes up to the end of the connection.
asio::awaitable<bool> write_stream(tcp::socket& socket, Deadline& deadline, Reply reply,
                                   Exchange exchange) {
  if (!exchange.takes_chunks) exchange.keeps_alive = false;
  auto response = head_of<http::empty_body>(reply, exchange);
  if (exchange.takes_chunks) response.chunked(true);
  if (exchange.takes_gzip) response.set(http::field::content_encoding, "gzip");
  http::response_serializer<http::empty_body> serializer(response);
  auto [head_error, head_size] = co_await http::async_write_header(socket, serializer, kAwait);
  if (head_error) co_return false;
  if (exchange.is_head) co_return exchange.keeps_alive;

  std::optional<Gzip> gzip;
  if (exchange.takes_gzip) gzip.emplace();
  std::string piece = std::move(reply.body);
  std::string compressed;
  for (bool has_more = true; has_more;) {
    auto more = co_await reply.more(piece);
    if (!more) co_return false;
    has_more = *more;
    if (gzip) {
      compressed.clear();
      gzip->add(piece, !has_more, compressed);
      piece.swap(compressed);
    }
    deadline.restart();
    if (!piece.empty()) {
      const auto buffer = asio::buffer(piece);
      boost::system::error_code error;
      if (exchange.takes_chunks) {
        const auto chunk = http::make_chunk(buffer);
        std::tie(error, std::ignore) = co_await asio::async_write(socket, chunk, kAwait);
      } else {
        std::tie(error, std::ignore) = co_await asio::async_write(socket, buffer, kAwait);
      }
      if (error) co_return false;
    }
    piece.clear();
  }
  if (!exchange.takes_chunks) co_return false;
  const auto [error, size] = co_await asio::async_write(socket, http::make_chunk_last(), kAwait);
  co_return !error && exchange.keeps_alive;
}

}  // namespace

asio::awaitable<bool> write_reply(tcp::socket& socket, Deadline& deadline, Reply reply,
                                  const Exchange& exchange) {
  if (reply.more) co_return co_await write_stream(socket, deadline, std::move(reply), exchange);
  co_return co_await write_whole(socket, std::move(reply), exchange);
}

}  // namespace dwell
