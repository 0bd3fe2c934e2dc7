#include "file/merged_files.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/check.h"

namespace dwell {
namespace {

// A record whose turn is at once.
constexpr Timestamp kAtOnce = Timestamp::min();

// What is read at once of one of many files.
constexpr std::size_t kPieceRecords = 4096;
constexpr std::size_t kPieceBytes = 1 << 20;

constexpr std::size_t kNamedFiles = 3;  // in one remark

}  // namespace

// One reading of a clock for all files.
class MergedFiles::OneMoment final : public Clock {
 public:
  explicit OneMoment(Clock& clock) : clock_(clock), now_(clock.wall()) {}

  Timestamp wall() override { return now_; }
  std::chrono::nanoseconds monotonic() override { return clock_.monotonic(); }
  void sleep(Milliseconds duration, const std::stop_token& stop) override {
    clock_.sleep(duration, stop);
  }

 private:
  Clock& clock_;
  Timestamp now_;
};

struct MergedFiles::Input {
  struct Pending {
    std::size_t begin;  // in `text`
    std::size_t length;
    Record record;  // without its bytes
    std::optional<Timestamp> time;
    std::shared_ptr<const std::string> text;
  };

  std::string path;
  std::size_t number = 0;
  std::optional<Position> begin;  // where reading begins; empty: at the start of the file
  std::uint64_t size = 0;         // when it was looked at
  bool has_position = true;
  std::unique_ptr<FileSource> source;  // while it is read
  bool is_read = false;                // all its records are pending
  std::optional<Error> failure;        // behind them
  std::deque<Pending> pending;

  // The oldest of the next kLookAhead pending records: candidates with growing places and times.
  std::deque<std::pair<std::uint64_t, Timestamp>> oldest;
  std::uint64_t handed_out = 0;  // places of pending count from here
  std::uint64_t looked_up_to = 0;

  std::uint32_t slot = 0;  // in the positions of the batch
  bool is_in_batch = false;
  std::optional<Timestamp> newest;  // of what was handed out
  std::uint64_t older = 0;          // how often one came that is older than that

  std::optional<Timestamp> turn() {
    if (pending.empty()) return std::nullopt;
    const std::uint64_t until = handed_out + std::min<std::uint64_t>(kLookAhead, pending.size());
    for (; looked_up_to < until; ++looked_up_to) {
      const auto time = pending[looked_up_to - handed_out].time;
      if (!time) continue;
      while (!oldest.empty() && oldest.back().second > *time) oldest.pop_back();
      oldest.emplace_back(looked_up_to, *time);
    }
    while (!oldest.empty() && oldest.front().first < handed_out) oldest.pop_front();
    if (!pending.front().time) return kAtOnce;
    return oldest.front().second;
  }
};

MergedFiles::MergedFiles(std::vector<std::string> paths, const FileLimits& limits, Clock& clock,
                         const Rule& rule)
    : paths_(std::move(paths)),
      limits_(limits),
      clock_(std::make_unique<OneMoment>(clock)),
      mapping_(rule.mapping),
      decoder_(rule) {}

MergedFiles::~MergedFiles() = default;

Result<void> MergedFiles::seek(PartitionId /*partition*/, std::span<const Position> committed) {
  inputs_.clear();
  turns_.clear();
  remarks_.clear();
  open_ = 0;
  size_ = start_ = 0;
  std::set<std::string> names;
  for (const std::string& path : paths_) {
    std::error_code error;
    const auto name = std::filesystem::canonical(path, error).string();
    if (!error && !names.insert(name).second) continue;
    auto input = std::make_unique<Input>();
    input->path = path;
    input->number = inputs_.size();
    if (auto looked = look_at(*input, committed); !looked) return looked;
    inputs_.push_back(std::move(input));
  }
  return {};
}

// Of many files little is read at once.
Result<std::unique_ptr<FileSource>> MergedFiles::open_at(const std::string& path,
                                                         std::span<const Position> committed) {
  FileLimits limits = limits_;
  limits.batch_records = kPieceRecords;
  limits.batch_bytes = kPieceBytes;
  auto source = FileSource::open(path, limits, *clock_, Reading::to_end, mapping_);
  if (!source) return source;
  if (auto sought = (*source)->seek(0, committed); !sought) return pass(sought);
  return source;
}

// Reads what decides when its turn comes, and closes it again if it can be read once more.
Result<void> MergedFiles::look_at(Input& input, std::span<const Position> committed) {
  auto source = open_at(input.path, committed);
  if (!source) return pass(source);
  const auto known =
      std::find_if(committed.begin(), committed.end(),
                   [&](const Position& position) { return position.source == (*source)->name(); });
  if (known != committed.end()) input.begin = *known;
  input.has_position = (*source)->has_position();
  input.size = (*source)->size();
  size_ += input.size;
  start_ += static_cast<std::uint64_t>((*source)->next());
  input.source = std::move(*source);
  ++open_;
  if (auto read = read_ahead(input); !read) return read;
  const auto turn = input.turn();
  if (turn) turns_.emplace(*turn, input.number);
  if (turn && !input.has_position) return {};
  // Of a file with nothing new, remarks say nothing new either.
  if (turn) {
    Input unread;
    unread.path = input.path;
    unread.number = input.number;
    unread.begin = std::move(input.begin);
    unread.size = input.size;
    input = std::move(unread);
  }
  input.source.reset();
  --open_;
  return {};
}

Result<void> MergedFiles::open(Input& input) {
  if (open_ == kMostOpen) {
    return fail(ErrorKind::invalid,
                "{}: more than {} files overlap in time, and cannot be merged; replay them in "
                "several calls, or as they are given with --as-given",
                input.path, kMostOpen);
  }
  const auto begin =
      input.begin ? std::span<const Position>(&*input.begin, 1) : std::span<const Position>();
  auto source = open_at(input.path, begin);
  if (!source) return pass(source);
  (*source)->stop_at(input.size);
  input.source = std::move(*source);
  ++open_;
  return read_ahead(input);
}

// Until kLookAhead records behind the next one are pending, or all that there are.
Result<void> MergedFiles::read_ahead(Input& input) {
  while (!input.is_read && input.pending.size() <= kLookAhead) {
    auto batch = input.source->poll();
    if (!batch) {
      // What is whole before is handed out first.
      if (input.pending.empty()) return pass(batch);
      input.failure = batch.error();
      input.is_read = true;
      return {};
    }
    take(input, batch->single());
    input.is_read = batch->is_last;
  }
  return {};
}

void MergedFiles::take(Input& input, const Slice& slice) {
  std::size_t size = 0;
  for (const Record& record : slice.records) size += record.bytes.size();
  const auto text = std::make_shared<std::string>();
  text->reserve(size);
  decoder_.reset();
  for (const Record& record : slice.records) {
    const Decoded decoded = decoder_.decode(record);
    std::optional<Timestamp> time;
    if (decoded.outcome == Outcome::accepted) time = decoded.event.timestamp;
    input.pending.push_back({text->size(), record.bytes.size(), record, time, text});
    *text += record.bytes;
  }
}

Result<Batch> MergedFiles::poll() {
  records_.clear();
  positions_.clear();
  texts_.clear();
  bytes_ = 0;
  const auto is_full = [&] {
    return records_.size() >= limits_.batch_records || bytes_ >= limits_.batch_bytes;
  };
  while (!turns_.empty() && !is_full()) {
    Input& input = *inputs_[turns_.begin()->second];
    if (input.failure && input.pending.empty()) {
      if (!records_.empty()) break;
      return Failure(*input.failure);
    }
    turns_.erase(turns_.begin());
    if (!input.source) {
      if (auto opened = open(input); !opened) return pass(opened);
    }
    const auto next =
        turns_.empty() ? std::pair(Timestamp::max(), inputs_.size()) : *turns_.begin();
    auto turn = input.turn();
    while (turn && std::pair(*turn, input.number) < next && !is_full()) {
      hand_out(input);
      if (auto read = read_ahead(input); !read) return pass(read);
      turn = input.turn();
    }
    if (turn) {
      turns_.emplace(*turn, input.number);
    } else if (input.failure) {
      turns_.emplace(kAtOnce, input.number);
    } else {
      if (auto closed = close(input); !closed) return pass(closed);
    }
  }
  for (const auto& input : inputs_) {
    if (!input->is_in_batch) continue;
    input->is_in_batch = false;
    if (!input->source) continue;  // closed: its position is that of its end
    const Offset next =
        input->pending.empty() ? input->source->next() : input->pending.front().record.offset;
    auto position = input->source->position_at(next);
    if (!position) return pass(position);
    positions_[input->slot] = std::move(*position);
  }
  if (turns_.empty()) tell_of_disorder();
  slice_ = {0, records_, positions_};
  return Batch{{&slice_, 1}, turns_.empty()};
}

void MergedFiles::hand_out(Input& input) {
  if (!input.is_in_batch) {
    input.is_in_batch = true;
    input.slot = static_cast<std::uint32_t>(positions_.size());
    positions_.emplace_back();
  }
  Input::Pending& first = input.pending.front();
  if (texts_.empty() || texts_.back() != first.text) texts_.push_back(first.text);
  Record record = first.record;
  record.bytes = std::string_view(*first.text).substr(first.begin, first.length);
  record.source = input.slot;
  records_.push_back(record);
  bytes_ += first.length;
  if (first.time) note_order(input, *first.time);
  input.pending.pop_front();
  ++input.handed_out;
}

Result<void> MergedFiles::close(Input& input) {
  if (input.is_in_batch) {
    auto position = input.source->position();
    if (!position) return pass(position);
    positions_[input.slot] = std::move(*position);
  }
  for (const auto& remark : input.source->remarks()) remarks_.push_back(remark);
  input.source.reset();
  --open_;
  return {};
}

void MergedFiles::note_order(Input& input, Timestamp time) {
  if (input.newest && time < *input.newest) ++input.older;
  input.newest = std::max(input.newest.value_or(time), time);
}

void MergedFiles::tell_of_disorder() {
  std::size_t count = 0;
  for (const auto& input : inputs_) {
    if (input->older == 0 || ++count > kNamedFiles) continue;
    remarks_.push_back(
        fmt::format("{}: is not sorted by time: {} events are older than one before them",
                    input->path, input->older));
  }
  if (count > kNamedFiles) {
    remarks_.push_back(fmt::format("{} more files are not sorted by time", count - kNamedFiles));
  }
}

}  // namespace dwell
