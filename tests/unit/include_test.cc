// The arrows of docs/architecture.md: which folder of src may include which.
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <sstream>

namespace dwell {
namespace {

using Layers = std::set<std::string>;

// An adapter sees itself and these.
const Layers kBelowAdapters = {"base", "core", "ports"};

std::string folder_of(const std::string& path) {
  return path.substr(0, path.find('/'));
}

// What a folder may include besides itself.
Layers visible_from(const std::string& folder) {
  const std::map<std::string, Layers> inner = {
      {"base", {}},
      {"core", {"base"}},
      {"ports", {"base", "core"}},
      {"pipeline", {"base", "core", "ports"}},
  };
  const auto known = inner.find(folder);
  return known == inner.end() ? kBelowAdapters : known->second;
}

// The includes of a file that go against the arrows. `path` is relative to src.
std::vector<std::string> violations(const std::string& path, const std::string& text) {
  const auto folder = folder_of(path);
  if (folder == "app") return {};
  const auto visible = visible_from(folder);
  std::vector<std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view kInclude = "#include \"";
    if (!line.starts_with(kInclude)) continue;
    const auto included = line.substr(kInclude.size(), line.rfind('"') - kInclude.size());
    const auto target = folder_of(included);
    if (target != folder && !visible.contains(target)) {
      found.push_back(fmt::format("{} includes {}", path, included));
    }
  }
  return found;
}

TEST(Includes, FollowTheArrows) {
  const std::filesystem::path src = DWELL_SOURCE_DIR "/src";
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(src)) {
    const auto extension = entry.path().extension();
    if (extension != ".h" && extension != ".cc") continue;
    std::ifstream file(entry.path());
    std::ostringstream text;
    text << file.rdbuf();
    const auto path = entry.path().lexically_relative(src).generic_string();
    EXPECT_EQ(violations(path, text.str()), std::vector<std::string>()) << path;
    ++files;
  }
  EXPECT_GT(files, 20u) << "the sources were not found";
}

TEST(Includes, AgainstTheArrowsAreFound) {
  const auto count = [](const std::string& path, const std::string& included) {
    return violations(path, fmt::format("#include <vector>\n#include \"{}\"\n", included)).size();
  };
  EXPECT_EQ(count("base/a.h", "base/b.h"), 0u);
  EXPECT_EQ(count("base/a.h", "core/b.h"), 1u);
  EXPECT_EQ(count("core/a.h", "base/b.h"), 0u);
  EXPECT_EQ(count("core/a.h", "ports/b.h"), 1u);
  EXPECT_EQ(count("ports/a.h", "pipeline/b.h"), 1u);
  EXPECT_EQ(count("pipeline/a.h", "ports/b.h"), 0u);
  EXPECT_EQ(count("pipeline/a.h", "sqlite/b.h"), 1u);
  EXPECT_EQ(count("sqlite/a.h", "sqlite/b.h"), 0u);
  EXPECT_EQ(count("sqlite/a.h", "core/b.h"), 0u);
  EXPECT_EQ(count("sqlite/a.h", "file/b.h"), 1u);
  EXPECT_EQ(count("sqlite/a.h", "pipeline/b.h"), 1u);
  EXPECT_EQ(count("file/deep/a.h", "app/b.h"), 1u);
  EXPECT_EQ(count("app/a.h", "sqlite/b.h"), 0u);
}

}  // namespace
}  // namespace dwell
