#include "base/mask.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace dwell {
namespace {

constexpr std::size_t kShortestPart = 8;
constexpr std::size_t kShortestAnywhere = 4;

bool is_word_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

bool is_word(std::string_view text, std::size_t begin, std::size_t end) {
  return (begin == 0 || !is_word_character(text[begin - 1])) &&
         (end == text.size() || !is_word_character(text[end]));
}

void mark(std::vector<bool>& marked, std::size_t begin, std::size_t length) {
  std::fill_n(marked.begin() + static_cast<std::ptrdiff_t>(begin), length, true);
}

void mark_whole(std::string_view text, std::string_view secret, std::vector<bool>& marked) {
  for (auto at = text.find(secret); at != text.npos; at = text.find(secret, at + 1)) {
    if (secret.size() >= kShortestAnywhere || is_word(text, at, at + secret.size())) {
      mark(marked, at, secret.size());
    }
  }
}

// Each part of the shortest length that is found makes up longer ones together.
void mark_parts(std::string_view text, std::string_view secret, std::vector<bool>& marked) {
  for (std::size_t at = 0; at + kShortestPart <= text.size(); ++at) {
    if (secret.find(text.substr(at, kShortestPart)) != secret.npos) {
      mark(marked, at, kShortestPart);
    }
  }
}

}  // namespace

std::string masked(std::string_view text, std::span<const std::string> secrets) {
  std::vector<bool> marked(text.size());
  for (const std::string& secret : secrets) {
    if (secret.empty()) continue;
    mark_whole(text, secret, marked);
    mark_parts(text, secret, marked);
  }
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!marked[i]) {
      out += text[i];
    } else if (i == 0 || !marked[i - 1]) {
      out += "***";
    }
  }
  return out;
}

}  // namespace dwell
