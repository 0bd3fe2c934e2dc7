#include "postgres/connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <poll.h>
#include <vector>

#include "base/mask.h"
#include "postgres/address.h"

namespace dwell {
namespace {

constexpr std::chrono::milliseconds kShortestSilence{10'000};  // that ends a connection

std::string one_line(const char* text) {
  std::string line(text ? text : "");
  while (!line.empty() && line.back() == '\n') line.pop_back();
  for (char& c : line) {
    if (c == '\n') c = ' ';
  }
  return line;
}

// What PQerrorMessage says of a connection that did not open, or broke, may hold what it was made
// with.
std::vector<std::string> secrets_of(PGconn* connection) {
  std::vector<std::string> secrets;
  const auto add = [&](const char* secret) {
    if (secret) secrets.emplace_back(secret);
  };
  add(PQpass(connection));  // also of PGPASSWORD, or of a password file
  const PgConninfo options(PQconninfo(connection));
  for (const PQconninfoOption* option = options.get(); option && option->keyword; ++option) {
    const std::string_view name = option->keyword;
    if (name == "password" || name == "sslpassword") add(option->val);
  }
  return secrets;
}

}  // namespace

std::int64_t PgResult::changed() const {
  const std::string_view text = PQcmdTuples(result_.get());
  std::int64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

Result<std::unique_ptr<PgConnection>> PgConnection::open(const PgOptions& options) {
  if (auto checked = check_address(options.url); !checked) return pass(checked);
  const auto connect_timeout = std::to_string(options.connect_timeout.count());
  const auto user_timeout = std::to_string(
      std::max<std::int64_t>(options.statement_timeout.count(), kShortestSilence.count()) + 1'000);
  const std::array<std::pair<const char*, const char*>, 8> settings{{
      {"connect_timeout", connect_timeout.c_str()},
      {"tcp_user_timeout", user_timeout.c_str()},
      {"keepalives_idle", "10"},
      {"keepalives_interval", "5"},
      {"keepalives_count", "3"},
      {"fallback_application_name", "dwell"},
      {"client_encoding", "UTF8"},
      {"dbname", options.url.c_str()},  // the last: what the address says counts
  }};
  std::array<const char*, 9> names{};
  std::array<const char*, 9> values{};
  for (std::size_t i = 0; i < settings.size(); ++i) {
    names[i] = settings[i].first;
    values[i] = settings[i].second;
  }
  PGconn* handle = PQconnectdbParams(names.data(), values.data(), 1);
  if (!handle) return fail(ErrorKind::fatal, "out of memory");
  std::unique_ptr<PgConnection> connection(new PgConnection(handle));
  const auto text = [](const char* value) { return std::string(value ? value : ""); };
  connection->name_ =
      fmt::format("{}:{}/{}", text(PQhost(handle)), text(PQport(handle)), text(PQdb(handle)));
  if (!connection->is_open()) {
    // libpq tells no SQLSTATE here, and words differ with the server's language. Where nobody has
    // said a password, asking again does not help.
    return fail(
        PQconnectionNeedsPassword(handle) == 1 ? ErrorKind::invalid : ErrorKind::retry_later,
        "database.url: {}", connection->said());
  }
  PQsetNoticeProcessor(
      handle, [](void*, const char*) {}, nullptr);
  connection->ask_without_blocking(options);
  if (auto begun = connection->begin_session(options); !begun) return pass(begun);
  return connection;
}

// libpq's own waiting has no end.
void PgConnection::ask_without_blocking(const PgOptions& options) {
  PQsetnonblocking(connection_.get(), 1);
  const bool has_end = options.statement_timeout.count() > 0;
  if (has_end) patience_ = options.statement_timeout + options.silence;
}

// By SET, since poolers refuse `options` as a part of connecting.
Result<void> PgConnection::begin_session(const PgOptions& options) {
  const auto parameter = [&](const char* name) {
    const char* value = PQparameterStatus(connection_.get(), name);
    return std::string_view(value ? value : "");
  };
  const auto encoding = parameter("server_encoding");
  if (encoding != "UTF8" && encoding != "SQL_ASCII") {
    return fail(ErrorKind::invalid,
                "database {}: its encoding is {}, which cannot hold every device id; make another "
                "with ENCODING 'UTF8' TEMPLATE template0 and name it in database.url",
                name_, encoding);
  }
  auto set =
      execute(fmt::format("SET statement_timeout = {}; SET client_min_messages = warning; {}",
                          options.statement_timeout.count(), options.session));
  if (!set) return pass(set);
  return {};
}

std::string PgConnection::said() const {
  return masked(one_line(PQerrorMessage(connection_.get())), secrets_of(connection_.get()));
}

Failure PgConnection::failure(const PGresult* result) {
  const char* state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : nullptr;
  state_ = state ? state : "";
  const char* primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : nullptr;
  std::string message = primary ? one_line(primary) : said();
  if (is_silent_) {
    message = fmt::format("no answer within {} ms; the connection is given up", patience_.count());
  }
  if (state_ == "42P01") message += "; `dwell migrate up` makes what is missing";
  if (state_ == "55P03" || state_ == "57014") {
    message += "; if it lasts, see who holds a lock: SELECT * FROM pg_stat_activity";
  }
  return fail(sql_error_kind(state_), "database {}: {}", name_, message);
}

Result<PgResult> PgConnection::checked(PGresult* result) {
  PgResult owned(result);
  const auto status = PQresultStatus(result);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_COPY_IN) {
    return owned;
  }
  return failure(result);
}

Result<PgResult> PgConnection::execute(const std::string& sql) {
  return answer(PQsendQuery(connection_.get(), sql.c_str()) == 1);
}

Result<PgResult> PgConnection::run(const std::string& sql, const PgParameters& parameters) {
  return answer(PQsendQueryParams(connection_.get(), sql.c_str(), parameters.count(), nullptr,
                                  parameters.values(), parameters.lengths(), parameters.formats(),
                                  1) == 1);
}

Result<PgResult> PgConnection::answer(bool is_asked) {
  if (!is_asked || is_silent_) return failure(nullptr);
  if (auto flushed = flush(); !flushed) return pass(flushed);
  PgResult last(nullptr);
  bool is_failure = false;
  for (;;) {
    if (!has_result()) return is_failure ? checked(last.release()) : failure(nullptr);
    PgResult next(PQgetResult(connection_.get()));
    if (!next.get()) return checked(last.release());
    const auto status = PQresultStatus(next.get());
    // A connection that breaks behind a failure must not replace it.
    if (!is_failure) last = std::move(next);
    is_failure |= status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE;
    if (status == PGRES_COPY_IN) return checked(last.release());
  }
}

// Whether PQgetResult() waits for nothing now; otherwise the connection broke.
bool PgConnection::has_result() {
  while (PQisBusy(connection_.get()) == 1) {
    if (!wait(POLLIN)) return false;
    if (PQconsumeInput(connection_.get()) != 1) return PQisBusy(connection_.get()) == 0;
  }
  return true;
}

Result<void> PgConnection::flush() {
  for (int left = PQflush(connection_.get()); left != 0; left = PQflush(connection_.get())) {
    // A server that waits for us to read would not read itself.
    const bool may_go_on = left > 0 && wait(POLLIN | POLLOUT);
    if (!may_go_on || PQconsumeInput(connection_.get()) != 1) return failure(nullptr);
  }
  return {};
}

bool PgConnection::wait(short events) {
  using std::chrono::steady_clock;
  const bool has_end = patience_.count() > 0 && !is_long_;
  const auto end = steady_clock::now() + patience_;
  pollfd socket{PQsocket(connection_.get()), events, 0};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - steady_clock::now());
    const auto longest = has_end ? std::max<std::int64_t>(left.count(), 0) : -1;
    const int ready = ::poll(&socket, 1, static_cast<int>(longest));
    if (ready > 0) return true;
    if (ready < 0 && errno == EINTR) continue;
    is_silent_ = ready == 0;
    return false;
  }
}

void PgConnection::cancel(PgConnection& connection) {
  PGcancel* const cancel = PQgetCancel(connection.get());
  std::array<char, 256> reason{};
  PQcancel(cancel, reason.data(), reason.size());
  PQfreeCancel(cancel);
}

Result<void> PgConnection::commit() {
  auto committed = execute("COMMIT");
  is_long_ = false;
  if (committed) {
    if (std::string_view(PQcmdStatus(committed->get())) == "COMMIT") return {};
    return fail(ErrorKind::retry_later, "database {}: the transaction was rolled back", name_);
  }
  // The server refused, or nobody knows.
  if (state_.empty() || !is_open()) {
    return fail(ErrorKind::unknown_outcome, "{}", committed.error().message);
  }
  return pass(committed);
}

Result<void> PgConnection::begin_long() {
  is_long_ = true;
  auto begun = execute("BEGIN; SET LOCAL statement_timeout = 0");
  if (begun) return {};
  is_long_ = false;
  return pass(begun);
}

void PgConnection::roll_back() {
  is_long_ = false;
  (void)execute("ROLLBACK");
}

Result<void> PgConnection::begin_copy(const std::string& sql) {
  auto begun = execute(sql);
  if (!begun) return pass(begun);
  return {};
}

Result<void> PgConnection::put_copy(std::string_view bytes) {
  const auto size = static_cast<int>(bytes.size());
  if (is_silent_ || PQputCopyData(connection_.get(), bytes.data(), size) != 1) {
    return failure(nullptr);
  }
  return flush();  // libpq would collect without bounds
}

Result<std::int64_t> PgConnection::end_copy() {
  auto ended = answer(PQputCopyEnd(connection_.get(), nullptr) == 1);
  if (!ended) return pass(ended);
  return ended->changed();
}

}  // namespace dwell
