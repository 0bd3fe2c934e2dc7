#include "postgres/connection.h"

#include <algorithm>
#include <array>
#include <charconv>
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
  struct Free {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
  };
  std::vector<std::string> secrets;
  const auto add = [&](const char* secret) {
    if (secret) secrets.emplace_back(secret);
  };
  add(PQpass(connection));  // also of PGPASSWORD, or of a password file
  const std::unique_ptr<PQconninfoOption, Free> options(PQconninfo(connection));
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
  if (auto begun = connection->begin_session(options); !begun) return pass(begun);
  return connection;
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
  if (state_ == "42P01") message += "; `dwell migrate up` makes what is missing";
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
  return checked(PQexec(connection_.get(), sql.c_str()));
}

Result<PgResult> PgConnection::run(const std::string& sql, const PgParameters& parameters) {
  return checked(PQexecParams(connection_.get(), sql.c_str(), parameters.count(), nullptr,
                              parameters.values(), parameters.lengths(), parameters.formats(), 1));
}

void PgConnection::cancel(PgConnection& connection) {
  PGcancel* const cancel = PQgetCancel(connection.get());
  std::array<char, 256> reason{};
  PQcancel(cancel, reason.data(), reason.size());
  PQfreeCancel(cancel);
}

Result<void> PgConnection::commit() {
  auto committed = execute("COMMIT");
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

Result<void> PgConnection::begin_copy(const std::string& sql) {
  auto begun = execute(sql);
  if (!begun) return pass(begun);
  return {};
}

Result<void> PgConnection::put_copy(std::string_view bytes) {
  if (PQputCopyData(connection_.get(), bytes.data(), static_cast<int>(bytes.size())) == 1)
    return {};
  return failure(nullptr);
}

Result<void> PgConnection::end_copy() {
  if (PQputCopyEnd(connection_.get(), nullptr) != 1) return failure(nullptr);
  Result<void> outcome;
  while (PGresult* result = PQgetResult(connection_.get())) {
    const PgResult owned(result);
    // The first failure is the cause; a connection that breaks behind it must not replace it.
    if (outcome && PQresultStatus(result) != PGRES_COMMAND_OK) outcome = failure(result);
  }
  return outcome;
}

}  // namespace dwell
