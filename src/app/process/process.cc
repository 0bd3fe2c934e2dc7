#include "app/process/process.h"

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <filesystem>
#include <mutex>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <zlib.h>

#include "app/process/caught.h"
#include "app/process/graceful_stop.h"
#include "app/process/log.h"
#include "app/process/log_context.h"
#include "app/process/telemetry_start.h"
#include "http/wire/process_routes.h"
#include "http/wire/server.h"

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

// Ten thousand connections need as many descriptors.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Process::Process(const Config& config, std::string name)
    : config_(config),
      name_(std::move(name)),
      metrics_(DWELL_VERSION),
      telemetry_(start_telemetry(config, name_, metrics_)) {
  if (!telemetry_) return;
  send_log_to(telemetry_.get());
  metrics_.watch_dropped([this](Signal signal) { return telemetry_->dropped(signal); });
}

Process::~Process() {
  end_telemetry();
}

// What is told after that goes to standard error alone.
void Process::end_telemetry() {
  if (!telemetry_) return;
  send_log_to(nullptr);
  metrics_.watch_dropped({});
  (void)Telemetry::end(std::move(telemetry_));
}

Result<std::string> Process::take_instance(const std::string& group) {
  auto id = instance_id(config_);
  if (!id) return id;
  const auto path = fmt::format("{}/dwell-{}-{}.lock", config_.instance_folder, legal(group), *id);
  auto lock = FileLock::acquire(path, name_);
  if (!lock && lock.error().kind == ErrorKind::invalid) return pass(lock);
  if (!lock) {
    return fail(ErrorKind::invalid,
                "{}: give each process an instance.id or instance.folder of its own",
                lock.error().message);
  }
  locks_.push_back(std::move(*lock));
  return id;
}

// Each task on a thread of its own, until the context ends.
Result<void> Process::run_tasks(Server& server) {
  std::mutex mutex;
  Result<void> outcome;  // of the first that failed, which ends all
  std::vector<std::jthread> threads;
  for (const Task& task : tasks_) {
    threads.emplace_back([&](const std::stop_token& stop) {
      log_context().task = task.name;
      const auto done = caught([&] { return task.run(stop); });
      const std::lock_guard lock(mutex);
      if (done) {
        if (!stop.stop_requested()) context_.stop();
      } else if (outcome) {
        outcome = done;
        stop_because(outcome.error(), context_);
      }
    });
  }
  server.run();
  for (const auto& call : at_stop_) call();
  for (std::jthread& thread : threads) thread.request_stop();
  for (std::jthread& thread : threads) thread.join();
  for (const auto& call : when_stopped_) call();
  end_connections(context_, server);
  end_telemetry();
  return outcome;
}

Result<void> Process::run(const std::string& listen, HeldSignals& signals) {
  raise_descriptor_limit();
  const Router router(
      process_routes([this] { return board_.health(); }, [this] { return metrics_.text(); }),
      "there are /livez, /readyz and /metrics");
  if (!handle_) {
    handle_ = [&router](Request request) { return router.handle(std::move(request)); };
  }
  Server server(
      context_, handle_, config_.http_limits,
      [this](const Server::Answered& answered) {
        const auto& [route, code, took, span] = answered;
        metrics_.replied(route, static_cast<unsigned>(code), took);
        log_context().span = span;
        spdlog::debug("http {}: {} in {:.1f} ms", route, static_cast<unsigned>(code),
                      std::chrono::duration<double, std::milli>(took).count());
        log_context().span.reset();
      },
      tracer());
  const auto load = metrics_.add_readings([this, &server]() -> std::vector<Metrics::Reading> {
    const Server::Load now = server.load();
    return {
        {"dwell_ready", "1 while this process does its work, as /readyz says it",
         board_.health().not_ready_because.empty() ? 1.0 : 0.0},
        {"dwell_http_connections", "Connections of clients", static_cast<double>(now.connections)},
        {"dwell_http_streams", "Answers that are written piece by piece",
         static_cast<double>(now.streams)}};
  });
  asio::co_spawn(context_, stop_on_signal(context_, server), asio::detached);
  context_.poll();  // a signal is looked out for before anything else begins
  signals.let_go();
  if (listen != "off") {
    if (auto listening = server.listen(listen); !listening) return listening;
    spdlog::info("serving {} on http://{}", what_, server.address());
  }
  return run_tasks(server);
}

}  // namespace dwell
