#include "app/commands/usage_error.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>

#include "app/settings/settings.h"
#include "base/printable.h"

namespace dwell {
namespace {

constexpr std::size_t kLikely = 2;  // characters that a mistyped flag is off

const CLI::App& command_of(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return *command;
}

std::vector<std::string> flags_of(const CLI::App& command) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  return flags;
}

bool is_setting(std::string_view flag) {
  return std::any_of(settings().begin(), settings().end(),
                     [&](const Setting& setting) { return setting.flag == flag; });
}

std::string unexpected(const CLI::App& app, std::span<const char* const> arguments) {
  const auto left = app.remaining(true);
  const std::string argument = left.empty() ? "" : left.front();
  const auto place = std::find(arguments.begin(), arguments.end(), argument) - arguments.begin();
  const CLI::App& command = command_of(app);
  const auto what = fmt::format("argument {}", place);
  if (!argument.starts_with('-')) {
    return what + " is not expected; it is not shown, since it may be a secret";
  }
  const auto flag = argument.substr(0, argument.find('='));
  if (is_setting(flag)) return fmt::format("{} is no flag of {}", flag, command.get_name());
  const auto near = nearest(flags_of(command), flag, kLikely);
  if (near.empty()) return what + " is no flag; it is not shown, since it may hold a secret";
  return fmt::format("{} is no flag; did you mean {}?", what, near);
}

// Where a command was expected: the number of the word that is none, and the one most like it.
std::string no_command(const CLI::App& app, std::span<const char* const> arguments) {
  const CLI::App& parent = command_of(app);
  std::vector<std::string> names;
  for (const CLI::App* command : parent.get_subcommands({})) names.push_back(command->get_name());
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument.starts_with('-') || argument == parent.get_name()) continue;
    const auto near = nearest(names, argument, kLikely);
    return fmt::format("argument {} is no command{}", i,
                       near.empty() ? std::string() : fmt::format("; did you mean {}?", near));
  }
  return "a command is missing";
}

}  // namespace

std::string usage_error(const CLI::App& app, const CLI::ParseError& error,
                        std::span<const char* const> arguments) {
  const bool is_unexpected = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError);
  const bool lacks_command =
      error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError) &&
      !command_of(app).get_subcommands({}).empty();
  const std::string text = is_unexpected   ? unexpected(app, arguments)
                           : lacks_command ? no_command(app, arguments)
                                           : error.what();
  return fmt::format("{}\nRun with --help for more information.\n", printable(text));
}

}  // namespace dwell
