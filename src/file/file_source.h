#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_id.h"
#include "core/mapping.h"
#include "file/csv_cutter.h"
#include "file/file_kind.h"
#include "file/file_limits.h"
#include "file/json_cutter.h"
#include "file/unpacker.h"
#include "ports/clock.h"
#include "ports/source.h"

namespace dwell {

// How reading ends.
enum class Reading {
  to_end,  // at the end of the file; an unterminated last line is a record; a stream is waited for
  follow,  // never: the file may grow and a last line without newline waits; nothing is waited for
};

// The errno of an open() as an error: not_found, retry_later (this process or the machine has too
// many open), invalid (whatever else `path` is to blame for).
Failure cannot_open(const std::string& path, int code);

// Reads records from a file, or from standard input as `-`.
//
// A record is a line without its newline; lines of white space alone are none; an unterminated last
// line is one, when reading to the end. Read to the end, a file may hold JSON or CSV in other
// forms, too, and may be packed: see file_kind.h. What it is is told once, from its first bytes.
//
// A regular file has a position (a byte offset in the unpacked text) and an identity: the hash of
// its first bytes as they are stored, at most 4096 and none that was not read. Its records' `now`
// is taken once and committed with the position, so that a file read in two goes ends as if read in
// one; only what was appended later gets a later one. Anything else (`-`, a FIFO) has no position,
// starts anew, and takes `now` at each poll.
//
// What is followed is a file, a FIFO or `-`, so that no call ever waits: a device, a socket, and a
// file whose size says nothing (as in /proc) are refused, and so is anything but lines. A FIFO has
// no end: writers come and go. A last line without newline that is one whole JSON object and has
// not grown for a second is a record; the newline that may follow is none.
//
// A line without end is read on from poll to poll: see is_within_line().
//
// Owns the descriptor, one buffer of about batch_bytes, and for CSV a second one. Not thread-safe.
class FileSource final : public Source {
 public:
  // `mapping` names the columns of CSV. Errors: not_found, invalid (a folder, no permission, a kind
  // of file that is not read), retry_later (too many files are open).
  static Result<std::unique_ptr<FileSource>> open(const std::string& path, const FileLimits& limits,
                                                  Clock& clock, Reading reading = Reading::to_end,
                                                  const Mapping& mapping = {});
  ~FileSource() override;
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  Result<Batch> poll() override;
  Result<void> seek(PartitionId partition, std::span<const Position> committed) override;

  // The absolute path, or `-`: what positions call this input. A file that was moved goes on under
  // the name it had.
  const std::string& name() const { return name_; }
  void rename(std::string name) { name_ = std::move(name); }

  // From now on to the end: nothing more will be written to this file.
  void finish() { reading_ = Reading::to_end; }

  FileId id() const;

  // When it was written to last.
  struct Written {
    std::int64_t seconds;
    std::int64_t nanoseconds;
    friend auto operator<=>(const Written&, const Written&) = default;
  };
  Written written() const;

  // Reads no byte behind the first `size` as they are stored: the end is there. After seek().
  void stop_at(std::uint64_t size) { end_ = size; }

  // Where the next record begins, to be committed.
  Result<Position> position() const { return position_at(next_); }
  // The same, of a record that was handed out since seek().
  Result<Position> position_at(Offset next) const;

  // What somebody has to know who believes the file is whole; asked for at the end.
  const std::vector<std::string>& remarks() const { return remarks_; }

  bool has_position() const { return is_regular_; }
  bool is_packed() const { return unpacker_ != nullptr; }
  // Whether the last batch is empty although there is more: poll_bytes of one line were read.
  bool is_within_line() const { return is_within_line_; }
  Offset next() const { return next_; }  // where the next record begins
  std::uint64_t size() const;            // bytes now; 0 when unknown
  // Up to where it was read, an unterminated line included.
  std::uint64_t read_to() const { return static_cast<std::uint64_t>(known_to()); }

 private:
  FileSource(std::string name, int descriptor, bool is_regular, const FileLimits& limits,
             Clock& clock, Reading reading, const Mapping& mapping);

  // One reading of the clock for all records that begin before `until`, a size of the file as it is
  // stored.
  struct ClockReading {
    Timestamp now;
    Offset until;
  };

  Result<void> check_identity(const Position& position, bool is_packed);
  Result<void> check_is_lines() const;
  Result<void> go_to_unpacked(Offset next);
  Result<std::string> head(std::size_t length) const;
  Result<std::string> mark(Offset next) const;
  Offset known_to() const { return buffer_offset_ + static_cast<Offset>(filled_); }
  Result<void> fill();
  bool may_hold_record() const;
  Result<std::optional<std::size_t>> read_some(char* out, std::size_t room, bool may_wait);
  Result<std::optional<std::size_t>> unpack_some(char* out, std::size_t room, bool may_wait);
  Result<void> find_packing();
  void begin_unpacking(std::size_t read);
  Result<void> find_layout(bool is_all);
  void use(Layout layout);
  std::string_view unread(Offset offset) const;
  void go_on_at(Offset offset);
  void split();
  bool cut_line();
  void split_json();
  void split_csv();
  void keep_beginning();
  void add_oversized(Offset end);
  bool is_end_mark_here(const char* start, std::size_t length);
  Result<void> take_settled_line();
  void tell_of_missing_end();
  void add_record(const char* start, std::size_t length, std::uint64_t truncated_from);
  Timestamp now_at(Offset offset);
  ClockReading read_clock() const;

  std::string name_;
  int descriptor_;
  std::uint64_t stored_ = 0;  // bytes read of it, as they are stored
  std::uint64_t end_ = std::numeric_limits<std::uint64_t>::max();  // of what is read
  bool is_regular_;
  FileLimits limits_;
  Clock& clock_;
  Reading reading_;
  const bool is_followed_;  // from the start, so that reading never waits
  const Mapping mapping_;

  // What the file is; empty: that is not known yet.
  std::optional<Packing> packing_;
  std::optional<Layout> layout_;
  std::optional<JsonCutter> json_;
  std::optional<CsvCutter> csv_;
  bool has_records_ = false;   // since seek()
  bool has_end_mark_ = false;  // behind the last of them
  std::vector<std::string> remarks_;

  // Of a packed file: what is read of it and not unpacked yet, packed_[packed_begin_, packed_end_),
  // and how much was taken of it.
  std::unique_ptr<Unpacker> unpacker_;
  std::vector<char> packed_;
  std::size_t packed_begin_ = 0;
  std::size_t packed_end_ = 0;
  std::uint64_t taken_ = 0;
  bool is_packed_end_ = false;
  std::optional<Error> damage_;  // told once what is whole is handed out

  // Made at the first poll: looking at a file's position takes no memory. buffer_[0, filled_) are
  // the bytes of the file from buffer_offset_ on; records of the last batch end at consumed_.
  std::vector<char> buffer_;
  std::size_t filled_ = 0;
  std::size_t consumed_ = 0;
  Offset buffer_offset_ = 0;
  bool at_end_ = false;
  bool is_within_line_ = false;

  // A line longer than the limit, while its end is looked for: its beginning and where it began.
  std::optional<Offset> oversized_start_;
  std::string oversized_head_;

  // The objects made of rows of CSV, one after the other, and the records that they belong to.
  std::string objects_;
  struct Object {
    std::size_t record;
    std::size_t begin;
    std::size_t length;
  };
  std::vector<Object> object_places_;

  // A last line without newline of a followed file: up to where it was read, and since when.
  Offset tail_end_ = -1;
  std::optional<std::chrono::nanoseconds> tail_since_;

  Offset next_ = 0;
  ClockReading reading_of_clock_{};
  Offset until_ = 0;  // the records that begin before have that reading
  std::vector<Record> records_;
  std::vector<Position> positions_;
  Slice slice_;
};

}  // namespace dwell
