#include "records.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace bench {

std::string read_file(const char* path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  std::string content(error ? 0 : size, '\0');
  if (error || !file.read(content.data(), static_cast<std::streamsize>(content.size()))) {
    std::fprintf(stderr, "cannot read %s\n", path);
    std::exit(1);
  }
  return content;
}

std::vector<dwell::Record> split(std::string_view content) {
  std::vector<dwell::Record> records;
  for (std::size_t start = 0; start < content.size();) {
    const std::size_t end = std::min(content.find('\n', start), content.size());
    records.push_back({content.substr(start, end - start), 0, static_cast<dwell::Offset>(start),
                       dwell::kLatest, 0});
    start = end + 1;
  }
  return records;
}

}  // namespace bench
