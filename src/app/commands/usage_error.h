#pragma once

#include <span>
#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace dwell {

// What is wrong with a command line, for its author. Of arguments that no command takes, values are
// never shown: behind a mistyped flag stands what was meant for the right one, such as a password.
std::string usage_error(const CLI::App& app, const CLI::ParseError& error,
                        std::span<const char* const> arguments);

}  // namespace dwell
