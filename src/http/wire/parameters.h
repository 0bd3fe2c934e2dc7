#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/wire/reply.h"
#include "http/wire/target.h"

namespace dwell {

// Reads the query parameters of a request, remembering the first that is wrong. Parameters that are
// not asked for by name are wrong too: a misspelt one must not be passed over.
class Parameters {
 public:
  explicit Parameters(const Target& target) : target_(target) {}

  Timestamp time(std::string_view name, Timestamp otherwise);
  std::optional<std::size_t> limit();
  bool is_true(std::string_view name);
  // One of two words.
  bool choice(std::string_view name, std::string_view first, std::string_view second);
  const std::string* text(std::string_view name);
  void refuse(std::string_view name, std::string_view expected);

  // The problem to answer with, once all parameters were read.
  std::optional<Reply> problem_found();

 private:
  const std::string* take(std::string_view name);

  const Target& target_;
  std::vector<std::string_view> known_;
  std::optional<Reply> problem_;
};

}  // namespace dwell
