#include "http/api/places.h"

#include <charconv>
#include <limits>

namespace dwell {
namespace {

// Takes a number off the front of a text.
template <typename Number>
bool take(std::string_view& text, Number most, Number& number) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number > most || number < 0) return false;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  return true;
}

bool take(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::string format_places(const std::vector<InputPlace>& places) {
  std::string text;
  for (const InputPlace& place : places) {
    if (!text.empty()) text += ',';
    text += fmt::format("{}:{}", place.partition, place.offset);
  }
  return text;
}

std::optional<std::vector<InputPlace>> parse_places(std::string_view text) {
  std::vector<InputPlace> places;
  do {
    InputPlace place{};
    if (places.size() == kMostPlaces ||
        !take(text, std::numeric_limits<PartitionId>::max(), place.partition) || !take(text, ':') ||
        !take(text, std::numeric_limits<Offset>::max() - 1, place.offset)) {
      return std::nullopt;
    }
    places.push_back(place);
  } while (take(text, ','));
  if (!text.empty()) return std::nullopt;
  return places;
}

}  // namespace dwell
