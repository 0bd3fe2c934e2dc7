#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/parser.hpp>
#include <memory>
#include <optional>

#include "http/wire/connection.h"
#include "http/wire/known_hosts.h"
#include "http/wire/request_head.h"

namespace dwell {

// Hands the bytes of a body on as they are parsed; to nobody, if nobody wants them.
struct SinkBody {
  struct value_type {
    BodySink* sink = nullptr;
    std::uint64_t size = 0;  // of what has come
  };

  class reader {
   public:
    template <typename Head>
    reader(Head&, value_type& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>&, boost::system::error_code& error) {
      error = {};
    }
    template <typename Buffers>
    std::size_t put(const Buffers& buffers, boost::system::error_code& error) {
      error = {};
      std::size_t size = 0;
      for (const boost::asio::const_buffer piece : boost::beast::buffers_range_ref(buffers)) {
        if (body_.sink) body_.sink->add({static_cast<const char*>(piece.data()), piece.size()});
        size += piece.size();
      }
      body_.size += size;
      return size;
    }
    void finish(boost::system::error_code& error) { error = {}; }

   private:
    value_type& body_;
  };
};

// Counts what a body takes on the wire beyond its bytes and the shortest chunk heads. The parser
// calls it for each chunk.
class Framing {
 public:
  void operator()(std::uint64_t size, boost::core::string_view, boost::system::error_code& error);
  void add_parsed(std::size_t size) { parsed_ += size; }
  std::uint64_t size(std::uint64_t body_size) const {
    const auto needed = body_size + shortest_;
    return parsed_ > needed ? parsed_ - needed : 0;
  }

 private:
  std::uint64_t parsed_ = 0;
  std::uint64_t shortest_ = 0;
};

// What one request adds to the sum of all, while it lives. Shares the sum: a request cut off when
// the service stops is destroyed with the io_context, after the server.
class Share {
 public:
  explicit Share(std::shared_ptr<std::size_t> sum) : sum_(std::move(sum)) {}
  ~Share() { *sum_ -= size_; }
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;

  void become(std::size_t size) {
    *sum_ += size - size_;
    size_ = size;
  }
  std::size_t sum() const { return *sum_; }

 private:
  std::shared_ptr<std::size_t> sum_;
  std::size_t size_ = 0;
};

// One request on its way in. Every byte of it has a bound: the head, the body, what frames the
// body, and what is held of all bodies at one time. Borrows the connection and the rest.
class Incoming {
 public:
  Incoming(Connection& connection, const ServerLimits& limits, const KnownHosts& known_hosts,
           std::shared_ptr<std::size_t> bytes_in_all);
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;

  // Both are false when the request will not come as a whole; `refusal` is why, if there is
  // somebody to tell.
  boost::asio::awaitable<bool> receive_head();
  // Reads the body to its end, into `sink` or away.
  boost::asio::awaitable<bool> receive_body(BodySink* sink);
  std::optional<Reply> take_refusal() { return std::move(refusal_); }

  const RequestHead& head() const { return parser_.get(); }
  bool keeps_alive() const { return parser_.keep_alive(); }

 private:
  using Parser = boost::beast::http::request_parser<SinkBody>;

  boost::system::error_code parse_head();
  boost::system::error_code parse_body();
  bool is_in_first_line() const;
  std::optional<Reply> refusal(const boost::system::error_code& error) const;

  Connection& connection_;
  const ServerLimits& limits_;
  const KnownHosts& known_hosts_;
  Parser parser_;
  Framing framing_;
  Share share_;
  bool is_lost_ = false;
  std::optional<Reply> refusal_;
};

}  // namespace dwell
