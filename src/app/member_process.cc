#include "app/member_process.h"

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <spdlog/spdlog.h>
#include <thread>
#include <unistd.h>
#include <zlib.h>

#include "app/signals.h"
#include "http/process_routes.h"
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

// Ends the context with the first signal.
asio::awaitable<void> stop_on_signal(asio::io_context& context) {
  co_await first_signal();
  context.stop();
}

// Each task on a thread of its own, until `context` ends.
Result<void> run_until_stopped(const std::vector<MemberTask>& tasks, asio::io_context& context) {
  std::vector<Result<void>> outcomes(tasks.size());
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    threads.emplace_back([&, i](const std::stop_token& stop) {
      outcomes[i] = tasks[i](stop);
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

Result<Instance> take_instance(const Config& config, const std::string& group,
                               const std::string& command) {
  auto id = instance_id(config);
  if (!id) return pass(id);
  const auto path = fmt::format("{}/dwell-{}-{}.lock", config.instance_folder, legal(group), *id);
  auto lock = FileLock::acquire(path, command);
  if (lock) return Instance{std::move(*id), std::move(*lock)};
  return fail(ErrorKind::invalid,
              "{}: give each process an instance.id or instance.folder of its own",
              lock.error().message);
}

Result<void> run_members(const std::vector<MemberTask>& tasks, const Config& config,
                         const std::string& listen, const MemberStatus& status, Metrics& metrics) {
  asio::io_context context(1);
  const Router router(
      process_routes([&status] { return status.health(); }, [&metrics] { return metrics.text(); }),
      "there are /livez, /readyz and /metrics");
  Server server(
      context, [&router](Request request) { return router.handle(std::move(request)); },
      config.http_limits,
      [&metrics](std::string_view route, Status code, std::chrono::nanoseconds took) {
        metrics.replied(route, static_cast<unsigned>(code), took);
      });
  if (listen != "off") {
    if (auto listening = server.listen(listen); !listening) return listening;
    spdlog::info("serving health and metrics on http://{}", server.address());
  }
  asio::co_spawn(context, stop_on_signal(context), asio::detached);
  auto outcome = run_until_stopped(tasks, context);
  server.abort();
  context.restart();
  context.run_for(std::chrono::milliseconds(100));
  return outcome;
}

}  // namespace dwell
