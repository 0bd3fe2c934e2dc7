#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dwell {

// Tells files apart, and knows one again, whatever they are called.
struct FileId {
  std::uint64_t device;
  std::uint64_t inode;
  friend bool operator==(const FileId&, const FileId&) = default;
};

// Of what stands under `path`, links followed. Looks without opening. Empty: nothing is there, or
// it cannot be reached.
std::optional<FileId> file_id(const std::string& path);
std::optional<FileId> file_id(int descriptor);

// Whether it is one of the files that stand under `paths` now.
bool is_one_of(const FileId& id, const std::vector<std::string>& paths);

}  // namespace dwell
