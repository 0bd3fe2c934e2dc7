#include "app/commands/line_numbers.h"

#include <algorithm>
#include <filesystem>

namespace dwell {

std::optional<std::uint64_t> LineNumbers::line_of(const std::string& path, Offset offset,
                                                  std::string_view beginning) {
  if (offset > kFarthest || !go_to(path, offset)) return std::nullopt;
  chunk_.resize(std::min<std::size_t>(beginning.size(), 4'096));
  file_.read(chunk_.data(), static_cast<std::streamsize>(chunk_.size()));
  const bool is_there =
      static_cast<std::size_t>(file_.gcount()) == chunk_.size() && beginning.starts_with(chunk_);
  file_.clear();
  if (!is_there) return std::nullopt;
  return lines_ + 1;
}

// False when the file has no such offset.
bool LineNumbers::go_to(const std::string& path, Offset offset) {
  if (path != path_ || offset < offset_ || !file_.is_open()) {
    std::error_code error;
    file_ = std::ifstream();
    if (!std::filesystem::is_regular_file(path, error)) return false;
    file_.open(path, std::ios::binary);
    path_ = path;
    offset_ = 0;
    lines_ = 0;
  }
  file_.seekg(offset_);
  constexpr Offset kChunk = 1 << 20;
  while (offset_ < offset) {
    chunk_.resize(static_cast<std::size_t>(std::min(kChunk, offset - offset_)));
    file_.read(chunk_.data(), static_cast<std::streamsize>(chunk_.size()));
    if (static_cast<std::size_t>(file_.gcount()) != chunk_.size()) {
      file_ = std::ifstream();
      return false;
    }
    lines_ += static_cast<std::uint64_t>(std::count(chunk_.begin(), chunk_.end(), '\n'));
    offset_ += static_cast<Offset>(chunk_.size());
  }
  return true;
}

}  // namespace dwell
