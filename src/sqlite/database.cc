#include "sqlite/database.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/check.h"

namespace dwell {
namespace {

bool means_no_room(int system) {
  return system == EFBIG || system == EDQUOT || system == ENOSPC;
}

// Whether a write failed because no more may be written there; of a full disk SQLite mostly knows
// itself. Not what fails at a flush: what was written before it may be there. `system` is the
// errno.
bool is_out_of_room(int code, int system) {
  const bool is_write = code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_SHMSIZE;
  return is_write && means_no_room(system);
}

// The errno of a failed write. What SQLite keeps for the connection may be that of a later call,
// with which it cleaned up; the file and its log each keep their own.
int errno_of_write(sqlite3* handle) {
  for (const int which : {SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER}) {
    sqlite3_file* file = nullptr;
    int system = 0;
    sqlite3_file_control(handle, "main", which, &file);
    if (!file || !file->pMethods) continue;
    file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &system);
    if (means_no_room(system)) return system;
  }
  return sqlite3_system_errno(handle);
}

ErrorKind kind_of(int code, int system) {
  if (is_out_of_room(code, system)) return ErrorKind::retry_later;
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return ErrorKind::retry_later;
    case SQLITE_CANTOPEN:
    case SQLITE_NOTADB:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      return ErrorKind::invalid;
    default:
      return ErrorKind::fatal;
  }
}

// What the user can do about it.
std::string_view mend_of(int code, int system = 0) {
  if (is_out_of_room(code, system)) {
    return system == EFBIG ? ": file too large; raise the limit of file sizes (ulimit -f)"
                           : ": no space is left; free some disk space";
  }
  switch (code & 0xff) {
    case SQLITE_FULL:
      return "; free some disk space";
    case SQLITE_CANTOPEN:
      return "; check that the folder exists and may be written";
    case SQLITE_NOTADB:
      return "; name another file";
    case SQLITE_READONLY:
      return "; make the file and its folder writable";
    case SQLITE_ERROR:  // ours is always the same SQL: the tables are not
      return "; its tables are not as Dwell made them, restore it from a backup";
    case SQLITE_CORRUPT:
      return "; restore it from a backup";
    case SQLITE_IOERR:
      return "; look for errors of the disk in the system's log (dmesg)";
    case SQLITE_CONSTRAINT:
      return "; another program has changed it, stop that program and restore it from a backup";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "; another program has it open, wait for that program or end it";
    default:
      return "";
  }
}

// SQLite counts its memory under a lock at every allocation, and nobody asks for the count. It can
// only be told before its first use in the process; later this has no effect and does no harm.
void stop_counting_memory() {
  [[maybe_unused]] static const int code = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

// To open a FIFO would wait for ever. That there is nothing yet is for SQLite to tell.
Result<void> check_is_file(const std::string& path) {
  std::error_code error;
  const auto type = std::filesystem::status(path, error).type();
  if (type == std::filesystem::file_type::directory) {
    return fail(ErrorKind::invalid, "{}: is a folder; name a file in it", path);
  }
  const bool is_there = !error && type != std::filesystem::file_type::not_found;
  if (is_there && type != std::filesystem::file_type::regular) {
    return fail(ErrorKind::invalid, "{}: is no regular file; name another one", path);
  }
  return {};
}

}  // namespace

void Statement::bind(int parameter, std::int64_t value) {
  CHECK(sqlite3_bind_int64(statement_.get(), parameter, value) == SQLITE_OK);
}

void Statement::bind_text(int parameter, std::string_view value) {
  CHECK(sqlite3_bind_text64(statement_.get(), parameter, value.data(), value.size(), SQLITE_STATIC,
                            SQLITE_UTF8) == SQLITE_OK);
}

void Statement::bind_blob(int parameter, std::string_view value) {
  // A null pointer would bind NULL instead of an empty blob.
  const char* data = value.data() ? value.data() : "";
  CHECK(sqlite3_bind_blob64(statement_.get(), parameter, data, value.size(), SQLITE_STATIC) ==
        SQLITE_OK);
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  auto failure = database_->failure(code);
  reset();
  return failure;
}

Result<void> Statement::run() {
  auto stepped = step();
  if (!stepped) return pass(stepped);
  CHECK(!*stepped);
  return {};
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::bytes(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  return {data ? data : "",
          data ? static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)) : 0};
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path,
                                                 const DatabaseOptions& options) {
  if (auto checked = check_is_file(path); !checked) return pass(checked);
  std::unique_ptr<Database> database(new Database(options.name.empty() ? path : options.name));
  const int flags =
      options.is_read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  stop_counting_memory();
  sqlite3* handle = nullptr;
  // To SQLite, names such as ":memory:" and "file:x" are no paths; "./:memory:" is one.
  const std::string file = path.starts_with('/') ? path : "./" + path;
  const int code = sqlite3_open_v2(file.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX,
                                   options.vfs.empty() ? nullptr : options.vfs.c_str());
  database->handle_.reset(handle);
  if (code != SQLITE_OK) return database->failure(code);
  // SQLite opens a file it may not write all the same, and says so at the first write.
  if (!options.is_read_only && sqlite3_db_readonly(handle, nullptr) == 1) {
    return fail(ErrorKind::invalid, "{}: is read-only{}", path, mend_of(SQLITE_READONLY));
  }
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, static_cast<int>(options.busy_timeout.count()));
  // FULL: the log is flushed before COMMIT returns. A checkpoint each 20,000 pages (160 MiB) keeps
  // bulk loads from copying a page many times over; the log file is cut back to that size.
  auto configured = database->execute(
      fmt::format("PRAGMA page_size = 8192; PRAGMA cache_size = -{}; PRAGMA synchronous = FULL; "
                  "PRAGMA wal_autocheckpoint = 20000; "
                  "PRAGMA journal_size_limit = 167772160; PRAGMA trusted_schema = OFF",
                  options.cache_bytes / 1024));
  if (!configured) return pass(configured);
  return database;
}

Result<void> Database::keep_log() {
  // The log is there from the first read on.
  return execute("PRAGMA journal_mode = WAL; PRAGMA user_version");
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (code != SQLITE_OK) return failure(code);
  Statement statement;
  statement.statement_.reset(raw);
  statement.database_ = this;
  return statement;
}

Result<void> Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(code);
  return {};
}

Result<std::int64_t> Database::query_integer(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return pass(statement);
  auto row = statement->step();
  if (!row) return pass(row);
  CHECK(*row);
  return statement->integer(0);
}

Failure Database::failure(int code) const {
  const char* text = handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
  const bool is_io = handle_ && (code & 0xff) == SQLITE_IOERR;
  const int system = is_io ? errno_of_write(handle_.get()) : 0;
  return fail(kind_of(code, system), "{}: {}{}", path_, text, mend_of(code, system));
}

Result<Transaction> Transaction::begin(Database& database) {
  if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return pass(begun);
  return Transaction(database);
}

Transaction::~Transaction() {
  if (!database_ || !database_->is_in_transaction()) return;
  // A rollback that fails leaves the transaction open, which the next BEGIN reports.
  (void)database_->execute("ROLLBACK").has_value();
}

Result<void> Transaction::commit() {
  CHECK(database_);
  auto committed = database_->execute("COMMIT");
  if (!committed && committed.error().kind == ErrorKind::fatal) {
    // The commit record may be in the log although flushing it failed.
    return fail(ErrorKind::unknown_outcome, "{}", committed.error().message);
  }
  return committed;
}

}  // namespace dwell
