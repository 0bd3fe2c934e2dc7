#pragma once

#include <chrono>
#include <libpq-fe.h>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "postgres/parameters.h"
#include "postgres/pg_options.h"
#include "postgres/sqlstate.h"

namespace dwell {

// Rows of an answer, in the binary format, or the number of rows changed.
class PgResult {
 public:
  explicit PgResult(PGresult* result) : result_(result) {}

  int rows() const { return PQntuples(result_.get()); }
  bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  std::string_view bytes(int row, int column) const {
    return {PQgetvalue(result_.get(), row, column),
            static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
  }
  // Of a smallint, integer or bigint.
  std::int64_t integer(int row, int column) const { return big_endian(bytes(row, column)); }
  std::int64_t changed() const;
  PGresult* get() const { return result_.get(); }
  PGresult* release() { return result_.release(); }

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

// A connection to a PostgreSQL server. Not thread-safe.
//
// Errors name the database and what the server said, never a secret of its address, and their kind
// says what to do (sqlstate.h): retry_later (whatever the server or who runs it can mend; most need
// another connection: see is_open()), fatal (it refuses what was to be written). open() also gives
// invalid: an address or a database that cannot be used.
class PgConnection {
 public:
  static Result<std::unique_ptr<PgConnection>> open(const PgOptions& options);

  bool is_open() const { return !is_silent_ && PQstatus(connection_.get()) == CONNECTION_OK; }
  // HOST:PORT/DATABASE, for messages: no secrets.
  const std::string& name() const { return name_; }
  // The server's, as it was asked for: a name, an address, or a folder of sockets.
  std::string host() const { return PQhost(connection_.get()); }
  // What the last failure asks for.
  SqlRemedy remedy() const { return sql_remedy(state_); }
  // SQLSTATE of the last failure; empty where the server did not say it.
  const std::string& sql_state() const { return state_; }
  // Whether it was an insert of a key that is there.
  bool was_unique_violation() const { return state_ == "23505"; }

  // Statements without parameters, separated by semicolons.
  Result<PgResult> execute(const std::string& sql);
  Result<PgResult> run(const std::string& sql, const PgParameters& parameters);
  // COMMIT. An answer that got lost is unknown_outcome.
  Result<void> commit();

  // For what does not wait for an answer in here.
  PGconn* get() const { return connection_.get(); }
  // An answer taken from get(), as run() would return it; null: the connection broke.
  Result<PgResult> checked(PGresult* result);
  // Asks the server to give up what it is doing for `connection`. Waits for that server.
  static void cancel(PgConnection& connection);

  // Begins a transaction whose statements may take as long as they need, and a silent server is
  // waited for: until commit() or roll_back().
  Result<void> begin_long();
  void roll_back();

  // COPY ... FROM STDIN: begin, bytes in the format that was asked for, end, which gives how many
  // rows the table has taken.
  Result<void> begin_copy(const std::string& sql);
  Result<void> put_copy(std::string_view bytes);
  Result<std::int64_t> end_copy();

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  explicit PgConnection(PGconn* connection) : connection_(connection) {}

  Result<void> begin_session(const PgOptions& options);
  std::string said() const;  // by libpq, without secrets
  Failure failure(const PGresult* result);
  void ask_without_blocking(const PgOptions& options);
  // The last answer to what was asked, or the first that is a failure.
  Result<PgResult> answer(bool is_asked);
  Result<void> flush();
  bool has_result();
  bool wait(short events);

  std::unique_ptr<PGconn, Finish> connection_;
  std::string name_;
  std::string state_;
  std::chrono::milliseconds patience_{0};  // with the server, for an answer; 0: any
  bool is_long_ = false;                   // the transaction: without patience
  bool is_silent_ = false;                 // patience has come to its end
};

}  // namespace dwell
