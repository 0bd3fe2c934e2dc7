#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <memory>
#include <set>

#include "postgres/connection.h"

namespace dwell {

// One connection of a pool, or the place for one. Used by the pool's thread alone.
class PgSlot {
 public:
  explicit PgSlot(boost::asio::io_context& context) : socket_(context) {}
  ~PgSlot() { (void)release(); }
  PgSlot(const PgSlot&) = delete;
  PgSlot& operator=(const PgSlot&) = delete;

  bool is_open() const { return connection_ && connection_->is_open(); }
  PgConnection& connection() { return *connection_; }
  boost::asio::posix::stream_descriptor& socket() { return socket_; }

  void hold(std::unique_ptr<PgConnection> connection) {
    (void)release();
    connection_ = std::move(connection);
    PQsetnonblocking(connection_->get(), 1);
    socket_.assign(PQsocket(connection_->get()));
    prepared_.clear();
    was_idle_ = false;
  }

  std::unique_ptr<PgConnection> release() {
    is_asked = false;
    if (socket_.is_open()) socket_.release();  // libpq closes it
    return std::move(connection_);
  }

  // Whether it was open before the question that has it, so that it may have broken while nobody
  // used it.
  bool is_old() const { return was_idle_ || !prepared_.empty(); }
  void rest() { was_idle_ = true; }
  // Lets the connection go if the server ended it meanwhile.
  void notice_end() {
    if (!is_open()) return;
    // The first look finds what the server said at last, the second one that it went.
    for (int i = 0; i < 2 && is_open(); ++i) (void)PQconsumeInput(connection_->get());
    if (!is_open()) (void)release();
  }

  bool has(std::size_t statement) const { return prepared_.contains(statement); }
  void has_prepared(std::size_t statement) { prepared_.insert(statement); }

  std::chrono::steady_clock::time_point deadline{};
  bool is_asked = false;      // a question whose answer is not here yet
  bool is_abandoned = false;  // the question, by its asker or for being late

 private:
  std::unique_ptr<PgConnection> connection_;
  std::set<std::size_t> prepared_;
  bool was_idle_ = false;
  boost::asio::posix::stream_descriptor socket_;
};

}  // namespace dwell
