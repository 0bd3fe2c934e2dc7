#include "app/process/telemetry_start.h"

#include <array>
#include <cstdlib>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "app/process/log.h"

namespace dwell {
namespace {

ResourceAttributes resource_of(const std::string& role) {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const char* service = std::getenv("OTEL_SERVICE_NAME");
  return {{"service.name", service && *service ? service : "dwell"},
          {"service.version", DWELL_VERSION},
          {"service.instance.id", fmt::format("{}-{}", host.data(), ::getpid())},
          {"host.name", host.data()},
          {"process.pid", fmt::format("{}", ::getpid())},
          {"dwell.command", role}};
}

}  // namespace

std::unique_ptr<Telemetry> start_telemetry(const Config& config, const std::string& role,
                                           Metrics& metrics) {
  auto settings = read_otel([](const char* name) { return std::getenv(name); });
  for (const std::string& warning : settings.warnings) spdlog::warn("{}", warning);
  if (!settings.is_any_on()) return nullptr;
  settings.names_devices = config.names_devices;
  Telemetry::Process process;
  process.resource = resource_of(role);
  process.metrics = [&metrics] { return metrics.collect(); };
  process.tell = [](bool is_well, const std::string& text) {
    if (is_well) {
      spdlog::info("{}", text);
    } else {
      spdlog::warn("{}", text);
    }
  };
  auto telemetry = Telemetry::start(settings, std::move(process));
  if (!telemetry) {
    spdlog::warn("nothing is sent to the collector at {}: {}", settings.endpoint,
                 telemetry.error().message);
    return nullptr;
  }
  return std::move(*telemetry);
}

}  // namespace dwell
