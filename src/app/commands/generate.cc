#include "app/commands/argument_checks.h"
#include "app/commands/commands.h"
#include "app/commands/generator.h"
#include "app/settings/units.h"
#include "app/terminal/output.h"

namespace dwell {
namespace {

Result<void> generate(const GeneratorOptions& options) {
  constexpr std::size_t kFlushBytes = 1 << 20;
  Generator generator(options);
  std::string out;
  while (generator.next(out)) {
    if (out.size() < kFlushBytes) continue;
    if (auto printed = print(out); !printed) return printed;
    out.clear();
  }
  return print(out);
}

void add_shares(Command command, GeneratorOptions& options) {
  const std::tuple<const char*, double*, const char*> shares[] = {
      {"--repeats", &options.repeats, "Per cent that repeat the device's last event type"},
      {"--heartbeats", &options.heartbeats, "Per cent of another event type"},
      {"--disorder", &options.disorder, "Per cent that arrive late"},
      {"--redelivery", &options.redelivery, "Per cent that arrive twice"},
      {"--garbage", &options.garbage, "Per cent that are unusable"}};
  for (const auto& [flag, share, help] : shares) {
    command.add(flag, *share, help).number().between(0.0, 100.0).shows_default();
  }
}

void add_duration(Command command, const char* flag, Milliseconds& value, const char* help) {
  command
      .add_parsed(
          flag, [&value](const std::string& text) { value = *parse_duration(text); }, help)
      .checked(check_duration, "DURATION")
      .hides_type();
}

}  // namespace

void add_generate(CommandSet& commands) {
  const auto options = std::make_shared<GeneratorOptions>();
  Command command =
      commands.add(commands.program(), "generate", "Write synthetic events to standard output",
                   [options] { return finish(generate(*options)); });
  command.add("--events", options->events, "How many events").number().shows_default();
  command.add("--devices", options->devices, "Of how many devices")
      .between(1u, 100'000'000u)
      .shows_default();
  command.add("--seed", options->seed, "The same seed gives the same events")
      .number()
      .shows_default();
  command.add("--rate", options->rate, "Events per second, all devices together")
      .number()
      .between(0.001, 1e9)
      .shows_default();
  command.add_time("--start", "Time of the first event [2025-07-08T00:00:00Z]",
                   [options](Timestamp t) { options->start = t; });
  add_shares(command, *options);
  add_duration(command, "--delay", options->delay, "How late, at most [30s]");
  add_duration(command, "--skew", options->skew,
               "How far each device's clock is off, at most [0ms]");
}

}  // namespace dwell
