#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "postgres/connection.h"

namespace dwell {

struct PgPoolOptions {
  PgOptions database;
  std::vector<std::string> statements;  // prepared on each connection when they are first needed
  std::size_t connections = 8;
  std::size_t waiting = 4'096;                // questions; more are refused
  std::chrono::milliseconds patience{5'000};  // from asking to the answer
  std::chrono::milliseconds opening{2'000};   // that open_all() waits for each connection
  // Told how long each question waited for a connection; may be empty.
  std::function<void(std::chrono::nanoseconds)> on_wait = {};
};

struct PgPoolLoad {
  std::size_t connections = 0;  // open ones
  std::size_t busy = 0;         // those of them that are asked
  std::size_t waiting = 0;      // questions that wait for one
};

struct PgPoolState {
  std::size_t open = 0;  // connections
  std::size_t idle = 0;  // those of them that nobody asks
  std::string shortage;  // why there is no further one; empty: none was refused lately
  std::string silence;   // why no question was answered lately; empty: the last one was
};

// Connections that answer prepared statements for many coroutines of one thread. They are opened
// when they are needed, and anew when they broke: a question that met a broken one is asked once
// more. Where the server gives fewer than `connections`, questions wait for those that are open. A
// question that takes too long, or whose asker is cancelled, is cancelled at the server.
class PgPool {
 public:
  // `context` is run by the thread that uses the pool, and outlives it.
  PgPool(boost::asio::io_context& context, PgPoolOptions options);
  ~PgPool();
  PgPool(const PgPool&) = delete;
  PgPool& operator=(const PgPool&) = delete;

  // Asks statement number `statement`. Errors: those of PgConnection; retry_later where the
  // database is away, too many wait, or the answer took too long.
  boost::asio::awaitable<Result<PgResult>> run(std::size_t statement,
                                               const PgParameters& parameters);
  // With less patience than the options say.
  boost::asio::awaitable<Result<PgResult>> run(std::size_t statement,
                                               const PgParameters& parameters,
                                               std::chrono::milliseconds patience);
  // Statements of one moment: a read-only transaction on a connection of its own, which others wait
  // for. The pool's patience is for all of it.
  class Transaction;
  boost::asio::awaitable<Result<std::unique_ptr<Transaction>>> begin();

  // Opens the connections that are not open, one after the other, before questions need them. Ends
  // where one is refused, or takes too long: it may wait for those that are open.
  boost::asio::awaitable<void> open_all();

  PgPoolState state() const;
  PgPoolLoad load() const;  // any thread

 private:
  class State;
  std::shared_ptr<State> state_;  // shared with questions that outlive the pool
};

class PgPool::Transaction {
 public:
  virtual ~Transaction() = default;
  // Errors: those of PgPool::run(). After one, each further question gets that error again, with
  // the advice to begin another transaction.
  virtual boost::asio::awaitable<Result<PgResult>> run(std::size_t statement,
                                                       const PgParameters& parameters) = 0;
};

}  // namespace dwell
