#include "tests/fakes/faulty_vfs.h"

#include <fmt/format.h>

#include "base/check.h"

namespace dwell {

// What SQLite holds of an open file: this, and behind it the file of the default VFS.
struct FaultyFile {
  sqlite3_file base;  // first: SQLite sees no more than this
  FaultyVfs* vfs;
  FaultyVfs::File kind;

  static FaultyFile& of(sqlite3_file* file) { return *reinterpret_cast<FaultyFile*>(file); }
  static sqlite3_file* inner(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(&of(file) + 1);
  }

  static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags,
                  int* out_flags);
  static int close(sqlite3_file* file);
  static int read(sqlite3_file* file, void* bytes, int count, sqlite3_int64 offset);
  static int write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset);
  static int sync(sqlite3_file* file, int flags);
  static int remove(sqlite3_vfs* vfs, const char* path, int sync_folder);
};

namespace {

sqlite3_vfs* real_vfs() {
  return sqlite3_vfs_find(nullptr);
}

// Passes a method of sqlite3_io_methods on as it is.
template <auto kMethod, typename... Args>
auto pass_on(sqlite3_file* file, Args... args) {
  sqlite3_file* inner = FaultyFile::inner(file);
  return (inner->pMethods->*kMethod)(inner, args...);
}

sqlite3_io_methods faulty_methods() {
  using Methods = sqlite3_io_methods;
  Methods methods{};
  methods.iVersion = 2;  // with shared memory, without memory-mapped reads
  methods.xClose = FaultyFile::close;
  methods.xRead = FaultyFile::read;
  methods.xWrite = FaultyFile::write;
  methods.xSync = FaultyFile::sync;
  methods.xTruncate = pass_on<&Methods::xTruncate>;
  methods.xFileSize = pass_on<&Methods::xFileSize>;
  methods.xLock = pass_on<&Methods::xLock>;
  methods.xUnlock = pass_on<&Methods::xUnlock>;
  methods.xCheckReservedLock = pass_on<&Methods::xCheckReservedLock>;
  methods.xFileControl = pass_on<&Methods::xFileControl>;
  methods.xSectorSize = pass_on<&Methods::xSectorSize>;
  methods.xDeviceCharacteristics = pass_on<&Methods::xDeviceCharacteristics>;
  methods.xShmMap = pass_on<&Methods::xShmMap>;
  methods.xShmLock = pass_on<&Methods::xShmLock>;
  methods.xShmBarrier = pass_on<&Methods::xShmBarrier>;
  methods.xShmUnmap = pass_on<&Methods::xShmUnmap>;
  return methods;
}

const sqlite3_io_methods kFaultyMethods = faulty_methods();

FaultyVfs::File kind_of(int flags) {
  if (flags & SQLITE_OPEN_WAL) return FaultyVfs::File::log;
  if (flags & SQLITE_OPEN_MAIN_DB) return FaultyVfs::File::database;
  return FaultyVfs::File::other;
}

}  // namespace

int FaultyFile::open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags,
                     int* out_flags) {
  file->pMethods = nullptr;
  const int code = real_vfs()->xOpen(real_vfs(), path, inner(file), flags, out_flags);
  if (code != SQLITE_OK) return code;
  of(file).vfs = static_cast<FaultyVfs*>(vfs->pAppData);
  of(file).kind = kind_of(flags);
  file->pMethods = &kFaultyMethods;
  return SQLITE_OK;
}

int FaultyFile::close(sqlite3_file* file) {
  return inner(file)->pMethods->xClose(inner(file));
}

int FaultyFile::read(sqlite3_file* file, void* bytes, int count, sqlite3_int64 offset) {
  const int failure = of(file).vfs->judge(SQLITE_IOERR_READ);
  if (failure != SQLITE_OK) return failure;
  return inner(file)->pMethods->xRead(inner(file), bytes, count, offset);
}

int FaultyFile::write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  FaultyVfs& vfs = *of(file).vfs;
  vfs.entries_.push_back({of(file).kind, FaultyVfs::Call::write});
  const int code = vfs.fault_.code == SQLITE_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
  const int failure = vfs.judge(code);
  const int arriving = failure == SQLITE_OK ? count : count / 2;
  const int written = inner(file)->pMethods->xWrite(inner(file), bytes, arriving, offset);
  return failure == SQLITE_OK ? written : failure;
}

int FaultyFile::sync(sqlite3_file* file, int /*flags*/) {
  FaultyVfs& vfs = *of(file).vfs;
  const int failure = vfs.judge(SQLITE_IOERR_FSYNC);
  if (failure != SQLITE_OK) return failure;
  vfs.entries_.push_back({of(file).kind, FaultyVfs::Call::sync});
  return SQLITE_OK;
}

int FaultyFile::remove(sqlite3_vfs* /*vfs*/, const char* path, int /*sync_folder*/) {
  return real_vfs()->xDelete(real_vfs(), path, 0);
}

FaultyVfs::FaultyVfs()
    : name_(fmt::format("faulty-{}", static_cast<const void*>(this))), vfs_(*real_vfs()) {
  vfs_.pNext = nullptr;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.szOsFile = static_cast<int>(sizeof(FaultyFile)) + real_vfs()->szOsFile;
  vfs_.xOpen = FaultyFile::open;
  vfs_.xDelete = FaultyFile::remove;
  CHECK(sqlite3_vfs_register(&vfs_, 0) == SQLITE_OK);
}

FaultyVfs::~FaultyVfs() {
  sqlite3_vfs_unregister(&vfs_);
}

void FaultyVfs::arm(const IoFault& fault) {
  fault_ = fault;
  calls_ = 0;
  was_reached_ = false;
}

int FaultyVfs::judge(int failing_code) {
  if (fault_.code != failing_code) return SQLITE_OK;
  ++calls_;
  const bool fails = calls_ >= fault_.at && calls_ - fault_.at < fault_.times;
  was_reached_ |= fails;
  return fails ? fault_.code : SQLITE_OK;
}

}  // namespace dwell
