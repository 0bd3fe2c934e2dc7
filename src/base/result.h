#pragma once

#include <fmt/format.h>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace dwell {

// Names what the caller must do next, not where the error came from. The pipeline is the only
// place that reacts to a kind; see the table in docs/architecture.md.
enum class ErrorKind {
  invalid,          // the request or the setting is wrong: tell its author
  not_found,        // what was asked for does not exist
  retry_later,      // nothing changed; the same call may succeed later
  aborted,          // nothing changed; restore and go on from the committed position
  unknown_outcome,  // a commit may or may not have happened: only restore() is legal
  lost_ownership,   // another process owns the input now
  fatal,            // going on could lose or double data: stop
};

std::string_view name(ErrorKind kind);

struct Error {
  ErrorKind kind;
  std::string message;  // names the thing, the place and the mend, in one sentence or two
};

// A value or an Error. Ignoring one is a compiler warning, and warnings are errors.
template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

using Failure = tl::unexpected<Error>;

// Makes the error branch of a Result: `return fail(ErrorKind::invalid, "{}: not a number", text);`
template <typename... Args>
[[nodiscard]] Failure fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  return Failure(Error{kind, fmt::format(format, std::forward<Args>(args)...)});
}

// Hands an error on to the caller unchanged: `if (!opened) return pass(opened);`
template <typename T>
[[nodiscard]] Failure pass(Result<T>& failed) {
  return Failure(std::move(failed.error()));
}
template <typename T>
[[nodiscard]] Failure pass(const Result<T>& failed) {
  return Failure(failed.error());
}

inline std::string_view name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid:
      return "invalid";
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::retry_later:
      return "retry_later";
    case ErrorKind::aborted:
      return "aborted";
    case ErrorKind::unknown_outcome:
      return "unknown_outcome";
    case ErrorKind::lost_ownership:
      return "lost_ownership";
    case ErrorKind::fatal:
      return "fatal";
  }
  return "unknown";
}

}  // namespace dwell
