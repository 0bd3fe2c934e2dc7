#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <spdlog/spdlog.h>
#include <thread>
#include <unistd.h>
#include <zlib.h>

#include "app/clean_member.h"
#include "app/commands.h"
#include "app/log.h"
#include "app/signals.h"
#include "app/system_clock.h"
#include "base/file_lock.h"
#include "http/server.h"

namespace dwell {
namespace {

namespace asio = boost::asio;

// Brokers take letters, digits, dots, dashes and underscores.
std::string legal(std::string name) {
  const auto is_legal = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
  };
  std::replace_if(
      name.begin(), name.end(), [&](char c) { return !is_legal(static_cast<unsigned char>(c)); },
      '_');
  return name;
}

// The same at every start in the same folder of the same host.
Result<std::string> instance_id(const Config& config) {
  if (config.instance_id != "auto") {
    if (legal(config.instance_id) == config.instance_id) return config.instance_id;
    return fail(ErrorKind::invalid,
                "instance.id {}: only letters, digits, dots, dashes and underscores of ASCII",
                config.instance_id);
  }
  std::error_code error;
  const auto folder = std::filesystem::canonical(config.instance_folder, error).string();
  if (error) {
    return fail(ErrorKind::invalid, "instance.folder {}: {}", config.instance_folder,
                error.message());
  }
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const auto hash =
      ::crc32(0, reinterpret_cast<const Bytef*>(folder.data()), static_cast<uInt>(folder.size()));
  return fmt::format("{}-{:08x}", legal(host.data()), hash);
}

// Guards the instance's place in the group against a second process on this host.
Result<FileLock> lock_instance(const Config& config, const std::string& instance) {
  const auto path =
      fmt::format("{}/dwell-{}-{}.lock", config.instance_folder, legal(config.group), instance);
  auto lock = FileLock::acquire(path, "dwell clean");
  if (lock) return lock;
  return fail(ErrorKind::invalid,
              "{}: give each process an instance.id or instance.folder of its own",
              lock.error().message);
}

// Ends the context with the first signal.
asio::awaitable<void> stop_on_signal(asio::io_context& context) {
  co_await first_signal();
  context.stop();
}

// What the members and their hops do, each on a thread of its own, until `context` ends.
Result<void> run_members(std::vector<CleanMember>& members, asio::io_context& context) {
  std::vector<Result<void>> outcomes(2 * members.size());
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    threads.emplace_back([&, i](const std::stop_token& stop) {
      CleanMember& member = members[i / 2];
      outcomes[i] = i % 2 == 0 ? member.run(stop) : member.run_hop(stop);
      if (!outcomes[i]) context.stop();  // one that cannot go on ends all
    });
  }
  context.run();
  for (std::jthread& thread : threads) thread.request_stop();
  for (std::jthread& thread : threads) thread.join();
  const auto failed =
      std::find_if(outcomes.begin(), outcomes.end(), [](const auto& outcome) { return !outcome; });
  return failed == outcomes.end() ? Result<void>() : *failed;
}

}  // namespace

Result<void> clean(const LoadedConfig& loaded) {
  log_to_stderr();
  const Config& config = loaded.config;
  const auto instance = instance_id(config);
  if (!instance) return Failure(instance.error());
  const auto lock = lock_instance(config, *instance);
  if (!lock) return Failure(lock.error());

  SystemClock clock;
  CleanStatus status;
  Metrics metrics;
  std::vector<CleanMember> members;
  for (std::size_t i = 0; i < config.clean_threads; ++i) {
    members.emplace_back(config, *instance, i, clock, status, metrics);
  }
  asio::io_context context(1);
  const Router router(
      process_routes([&status] { return status.health(); }, [&metrics] { return metrics.text(); }),
      "there are /livez, /readyz and /metrics");
  Server server(
      context, [&router](Request request) { return router.handle(std::move(request)); },
      config.http_limits,
      [&metrics](std::string_view route, Status status, std::chrono::nanoseconds took) {
        metrics.replied(route, static_cast<unsigned>(status), took);
      });
  if (config.clean_listen != "off") {
    if (auto listening = server.listen(config.clean_listen); !listening) return listening;
    spdlog::info("serving health and metrics on http://{}", server.address());
  }
  asio::co_spawn(context, stop_on_signal(context), asio::detached);
  auto outcome = run_members(members, context);
  server.abort();
  context.restart();
  context.run_for(std::chrono::milliseconds(100));
  return outcome;
}

}  // namespace dwell
