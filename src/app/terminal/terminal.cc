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

PresenceStrip::PresenceStrip(Timestamp begin, Timestamp end, std::size_t columns)
    : begin_(begin), end_(std::max(end, begin + Milliseconds{1})), inside_(columns) {}

Timestamp PresenceStrip::edge(std::size_t cell) const {
  const double share = static_cast<double>(cell) / static_cast<double>(inside_.size());
  const auto span = static_cast<double>((end_ - begin_).count());
  return begin_ + Milliseconds{static_cast<std::int64_t>(share * span)};
}

void PresenceStrip::add(const Stay& stay) {
  if (!stay.enter) return;
  const auto share = static_cast<double>((*stay.enter - begin_).count()) /
                     static_cast<double>((end_ - begin_).count());
  const auto cell = std::max(0.0, share * static_cast<double>(inside_.size()) - 1);
  const auto last = stay.exit.value_or(end_);
  for (auto i = static_cast<std::size_t>(cell); i < inside_.size() && edge(i) <= last; ++i) {
    inside_[i] += clipped(stay, edge(i), std::max(edge(i + 1), edge(i) + Milliseconds{1}));
  }
}

std::string PresenceStrip::render(const Terminal& terminal) const {
  const char* full = terminal.has_unicode ? "█" : "#";
  const char* half = terminal.has_unicode ? "▄" : "+";
  const char* empty = terminal.has_unicode ? "·" : ".";
  std::string strip;
  for (std::size_t i = 0; i < inside_.size(); ++i) {
    const auto length = std::max(edge(i + 1) - edge(i), Milliseconds{1});
    strip += inside_[i] >= length ? full : inside_[i] > Milliseconds{0} ? half : empty;
  }
  return terminal.has_color ? "\x1b[32m" + strip + "\x1b[0m" : strip;
}

}  // namespace dwell
