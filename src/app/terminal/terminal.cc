#include "app/terminal/terminal.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "app/settings/units.h"

namespace dwell {
namespace {

constexpr std::size_t kNarrowest = 40;
constexpr std::size_t kWidest = 1'000;

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value && *value;
}

// The part of [begin, end) that the sessions cover.
Milliseconds covered(const std::vector<Session>& sessions, Timestamp begin, Timestamp end) {
  Milliseconds sum{0};
  for (const Session& session : sessions) {
    const auto from = std::max(begin, session.begin.value_or(begin));
    const auto to = std::min(end, session.end.value_or(end));
    if (from < to) sum += to - from;
  }
  return sum;
}

}  // namespace

Terminal Terminal::of(std::FILE* stream) {
  Terminal terminal;
  const int descriptor = ::fileno(stream);
  terminal.is_terminal = ::isatty(descriptor) == 1;
  const char* kind = std::getenv("TERM");
  const bool is_dumb = kind && std::strcmp(kind, "dumb") == 0;
  terminal.has_color = terminal.is_terminal && !is_dumb && !is_set("NO_COLOR");
  terminal.has_unicode = std::strcmp(::nl_langinfo(CODESET), "UTF-8") == 0;

  winsize size{};
  std::size_t width = 0;
  if (const char* columns = std::getenv("COLUMNS")) width = parse_count(columns).value_or(0);
  if (width == 0 && ::ioctl(descriptor, TIOCGWINSZ, &size) == 0) width = size.ws_col;
  if (width != 0) terminal.width = std::clamp(width, kNarrowest, kWidest);
  return terminal;
}

std::string TextTable::render(const Terminal& terminal) const {
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(display_width(column.title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], display_width(row[i]));
    }
  }
  const auto line = [&](const auto& cell_at, std::size_t cells) {
    std::string text;
    for (std::size_t i = 0; i < cells; ++i) {
      const std::string& cell = cell_at(i);
      const std::string padding(widths[i] - display_width(cell), ' ');
      if (i > 0) text += "  ";
      text += columns_[i].is_right_aligned ? padding + cell : cell + padding;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  };
  const auto title =
      line([&](std::size_t i) -> const std::string& { return columns_[i].title; }, columns_.size());
  std::string out = (terminal.has_color ? "\x1b[1m" + title + "\x1b[0m" : title) + '\n';
  for (const auto& row : rows_) {
    out += line([&](std::size_t i) -> const std::string& { return row[i]; }, row.size()) + '\n';
  }
  return out;
}

std::string presence_strip(const std::vector<Session>& sessions, Timestamp begin, Timestamp end,
                           std::size_t columns, const Terminal& terminal) {
  const char* full = terminal.has_unicode ? "█" : "#";
  const char* half = terminal.has_unicode ? "▄" : "+";
  const char* empty = terminal.has_unicode ? "·" : ".";
  std::string strip;
  const auto span = std::max(end - begin, Milliseconds{1});
  for (std::size_t i = 0; i < columns; ++i) {
    const auto edge = [&](std::size_t cell) {
      const double share = static_cast<double>(cell) / static_cast<double>(columns);
      return begin +
             Milliseconds{static_cast<std::int64_t>(share * static_cast<double>(span.count()))};
    };
    const auto from = edge(i);
    const auto to = std::max(edge(i + 1), from + Milliseconds{1});
    const auto inside = covered(sessions, from, to);
    strip += inside >= to - from ? full : inside > Milliseconds{0} ? half : empty;
  }
  return terminal.has_color ? "\x1b[32m" + strip + "\x1b[0m" : strip;
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

}  // namespace dwell
