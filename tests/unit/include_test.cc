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

using Rooms = std::set<std::string>;

// Every room of src, and what it may include besides itself. A room of app sees also every room
// outside of app.
const std::map<std::string, Rooms> kArrows = {
    {"base", {}},
    {"core", {"base"}},
    {"telemetry", {"base"}},
    {"telemetry/otlp", {"telemetry"}},
    {"ports", {"base", "core", "telemetry"}},
    {"pipeline", {"base", "core", "ports"}},
    {"questions", {"base", "core", "ports"}},
    {"file", {"base", "core", "ports"}},
    {"live", {"base", "telemetry", "core", "ports"}},
    {"sqlite", {"base", "core", "ports"}},
    {"postgres", {"base", "core", "ports"}},
    {"kafka/client", {"base", "telemetry", "core", "ports"}},
    {"kafka/topics", {"base", "telemetry", "core", "ports", "kafka/client"}},
    {"kafka/flow", {"base", "telemetry", "core", "ports", "kafka/client", "kafka/topics"}},
    {"http/wire", {"base", "telemetry"}},
    {"http/api", {"base", "core", "ports", "questions", "telemetry", "http/wire"}},
    {"app/settings", {}},
    {"app/terminal", {"app/settings"}},
    {"app/process", {"app/settings", "app/terminal"}},
    {"app/roles", {"app/settings", "app/terminal", "app/process"}},
    {"app/commands", {"app/settings", "app/terminal", "app/process", "app/roles"}},
    {"app", {"app/commands"}},
};

// The folder that a file lies in.
std::string room_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

bool is_of_app(const std::string& room) {
  return room == "app" || room.starts_with("app/");
}

bool may_include(const std::string& room, const std::string& target) {
  if (room == target) return true;
  if (!kArrows.contains(room) || !kArrows.contains(target)) return false;
  if (is_of_app(room) && room != "app" && !is_of_app(target)) return true;
  return kArrows.at(room).contains(target);
}

// The includes of a file that go against the arrows. `path` is relative to src.
std::vector<std::string> violations(const std::string& path, const std::string& text) {
  const auto room = room_of(path);
  std::vector<std::string> found;
  if (!kArrows.contains(room)) found.push_back(fmt::format("{} is in no room", path));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view kInclude = "#include \"";
    if (!line.starts_with(kInclude)) continue;
    const auto included = line.substr(kInclude.size(), line.rfind('"') - kInclude.size());
    if (!may_include(room, room_of(included))) {
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
  EXPECT_EQ(count("file/a.h", "app/settings/b.h"), 1u);
  EXPECT_EQ(count("kafka/client/a.h", "kafka/flow/b.h"), 1u);
  EXPECT_EQ(count("kafka/flow/a.h", "kafka/client/b.h"), 0u);
  EXPECT_EQ(count("http/wire/a.h", "http/api/b.h"), 1u);
  EXPECT_EQ(count("app/process/a.h", "sqlite/b.h"), 0u);
  EXPECT_EQ(count("app/process/a.h", "app/roles/b.h"), 1u);
  EXPECT_EQ(count("app/a.cc", "app/commands/b.h"), 0u);
  EXPECT_EQ(count("app/a.cc", "sqlite/b.h"), 1u);
  EXPECT_EQ(count("http/a.cc", "base/b.h"), 2u) << "a file in no room";
}

}  // namespace
}  // namespace dwell
