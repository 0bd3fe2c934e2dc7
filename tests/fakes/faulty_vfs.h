#pragma once

#include <cstddef>
#include <sqlite3.h>
#include <string>
#include <vector>

namespace dwell {

// One failing kind of file call. SQLITE_FULL and SQLITE_IOERR_WRITE fail writes (half of the bytes
// arrive), SQLITE_IOERR_FSYNC fails syncs, SQLITE_IOERR_READ fails reads. The calls of that kind
// are counted from 1; those from `at` on, `times` of them, fail.
struct IoFault {
  int code;
  std::size_t at;
  std::size_t times = 1;
};

// A SQLite VFS that passes every call on to the default one, but keeps a log of the writes and
// syncs and fails the calls it is told to. A sync is logged and goes no further: no test cuts the
// power, and disks are slow. Registered under name() while it lives; it must outlive
// every connection that uses it. One thread at a time.
class FaultyVfs {
 public:
  enum class File { database, log, other };
  enum class Call { write, sync };
  struct Entry {
    File file;
    Call call;
  };

  FaultyVfs();
  ~FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  const std::string& name() const { return name_; }

  void arm(const IoFault& fault);
  void disarm() { fault_.code = SQLITE_OK; }
  // Whether the fault armed last was met, disarmed or not.
  bool was_reached() const { return was_reached_; }

  // Writes and syncs since the last clear, in order.
  const std::vector<Entry>& entries() const { return entries_; }
  void clear_entries() { entries_.clear(); }

 private:
  friend struct FaultyFile;

  // SQLITE_OK or the error a read, write or sync is to give.
  int judge(int failing_code);

  std::string name_;
  sqlite3_vfs vfs_;
  IoFault fault_{SQLITE_OK, 0};
  std::size_t calls_ = 0;
  bool was_reached_ = false;
  std::vector<Entry> entries_;
};

}  // namespace dwell
