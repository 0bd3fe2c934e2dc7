#include "postgres/connection.h"

#include <algorithm>
#include <array>
#include <charconv>

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

// What a SQLSTATE asks for: appendix A of the manual of PostgreSQL.
ErrorKind kind_of(std::string_view state) {
  if (state.empty()) return ErrorKind::retry_later;  // the connection broke
  if (state == "53400") return ErrorKind::fatal;     // a limit that is set, not a lack
  const auto group = state.substr(0, 2);
  if (group == "08" || group == "40" || group == "53" || group == "55" || group == "57") {
    return ErrorKind::retry_later;
  }
  if (group == "28" || group == "3D" || group == "42") return ErrorKind::invalid;
  return ErrorKind::fatal;
}

}  // namespace

std::int64_t PgResult::changed() const {
  const std::string_view text = PQcmdTuples(result_.get());
  std::int64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

Result<std::unique_ptr<PgConnection>> PgConnection::open(const PgOptions& options) {
  const auto connect_timeout = std::to_string(options.connect_timeout.count());
  const auto session = fmt::format("-c statement_timeout={} -c client_min_messages=warning {}",
                                   options.statement_timeout.count(), options.session);
  const auto user_timeout = std::to_string(
      std::max<std::int64_t>(options.statement_timeout.count(), kShortestSilence.count()) + 1'000);
  const std::array<std::pair<const char*, const char*>, 9> settings{{
      {"connect_timeout", connect_timeout.c_str()},
      {"tcp_user_timeout", user_timeout.c_str()},
      {"keepalives_idle", "10"},
      {"keepalives_interval", "5"},
      {"keepalives_count", "3"},
      {"fallback_application_name", "dwell"},
      {"client_encoding", "UTF8"},
      {"options", session.c_str()},
      {"dbname", options.url.c_str()},  // the last: what the address says counts
  }};
  std::array<const char*, 10> names{};
  std::array<const char*, 10> values{};
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
  if (connection->is_open()) {
    PQsetNoticeProcessor(
        handle, [](void*, const char*) {}, nullptr);
    return connection;
  }
  // The server's own refusals come as text alone here.
  const std::string reason = one_line(PQerrorMessage(handle));
  const bool is_refusal = reason.find("authentication") != reason.npos ||
                          reason.find("does not exist") != reason.npos ||
                          reason.find("no pg_hba.conf entry") != reason.npos ||
                          reason.find("invalid") != reason.npos ||
                          reason.find("missing \"=\"") != reason.npos;
  return fail(is_refusal ? ErrorKind::invalid : ErrorKind::retry_later, "database.url: {}", reason);
}

Failure PgConnection::failure(const PGresult* result) {
  const char* state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : nullptr;
  state_ = state ? state : "";
  const char* primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : nullptr;
  std::string message = one_line(primary ? primary : PQerrorMessage(connection_.get()));
  if (state_ == "42P01") message += "; `dwell migrate up` makes what is missing";
  return fail(kind_of(state_), "database {}: {}", name_, message);
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
