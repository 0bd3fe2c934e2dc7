#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_id.h"
#include "file/file_limits.h"
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

// Reads newline-delimited records from a file, or from standard input as `-`.
//
// A record is a line without its newline; lines of white space alone are none; an unterminated last
// line is one, when reading to the end. A regular file has a position (a byte offset) and an
// identity: the hash of its first min(4096, position) bytes. Its records' `now` is taken once and
// committed with the position, so that a file read in two goes ends as if read in one; only what
// was appended later gets a later one. Anything else (`-`, a FIFO) has no position, starts anew,
// and takes `now` at each poll.
//
// What is followed is a file, a FIFO or `-`, so that no call ever waits: a device, a socket, and a
// file whose size says nothing (as in /proc) are refused. A FIFO has no end: writers come and go.
//
// A line without end is read on from poll to poll: see is_within_line().
//
// Owns the descriptor and one buffer of about batch_bytes. Not thread-safe.
class FileSource final : public Source {
 public:
  // Errors: not_found, invalid (a folder, no permission), retry_later (too many files are open).
  static Result<std::unique_ptr<FileSource>> open(const std::string& path, const FileLimits& limits,
                                                  Clock& clock, Reading reading = Reading::to_end);
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

  // Where the next record begins, to be committed.
  Result<Position> position() const;

  bool has_position() const { return is_regular_; }
  // Whether the last batch is empty although there is more: poll_bytes of one line were read.
  bool is_within_line() const { return is_within_line_; }
  Offset next() const { return next_; }  // where the next record begins
  std::uint64_t size() const;            // bytes now; 0 when unknown
  // Up to where it was read, an unterminated line included.
  std::uint64_t read_to() const { return static_cast<std::uint64_t>(known_to()); }

 private:
  FileSource(std::string name, int descriptor, bool is_regular, const FileLimits& limits,
             Clock& clock, Reading reading);

  // One reading of the clock for all records that begin before `until`.
  struct ClockReading {
    Timestamp now;
    Offset until;
  };

  Result<void> check_identity(const Position& position);
  Result<std::string> head(std::size_t length) const;
  Result<std::string> mark() const;
  Offset known_to() const { return buffer_offset_ + static_cast<Offset>(filled_); }
  Result<void> fill();
  void split();
  void add_record(const char* start, std::size_t length, std::uint64_t truncated_from);
  Timestamp now_at(Offset offset);
  ClockReading read_clock() const;

  std::string name_;
  int descriptor_;
  bool is_regular_;
  FileLimits limits_;
  Clock& clock_;
  Reading reading_;
  const bool is_followed_;  // from the start, so that reading never waits

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

  Offset next_ = 0;
  ClockReading reading_of_clock_{};
  std::vector<Record> records_;
  std::vector<Position> positions_;
  Slice slice_;
};

}  // namespace dwell
