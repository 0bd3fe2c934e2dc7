#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <thread>

#include "app/commands.h"
#include "app/metrics.h"
#include "app/store.h"
#include "app/system_clock.h"
#include "app/units.h"
#include "file/file_tail.h"
#include "http/api.h"
#include "http/server.h"
#include "live/live_source.h"
#include "pipeline/pipeline.h"
#include "sqlite/sqlite_committer.h"
#include "sqlite/sqlite_reader.h"

namespace dwell {
namespace {

namespace asio = boost::asio;

constexpr Milliseconds kLookForInput{50};  // how often the file is looked at
constexpr std::chrono::seconds kDrain{3};  // for requests in flight, once asked to stop
constexpr Milliseconds kForEver = std::chrono::days(36'500);

// Why the service cannot take events right now. Any thread.
class Readiness {
 public:
  void set(std::string reason) {
    const std::lock_guard lock(mutex_);
    reason_ = std::move(reason);
  }
  std::vector<std::string> reasons() const {
    const std::lock_guard lock(mutex_);
    return reason_.empty() ? std::vector<std::string>() : std::vector{reason_};
  }

 private:
  mutable std::mutex mutex_;
  std::string reason_ = "restoring the committed state";
};

// Measures what it passes on.
class TimedCommitter final : public Committer {
 public:
  TimedCommitter(Committer& inner, Clock& clock, Metrics& metrics)
      : inner_(inner), clock_(clock), metrics_(metrics) {}

  Result<std::vector<Position>> restore(Fold& fold) override { return inner_.restore(fold); }

  Result<void> commit(const Unit& unit, const Fold& after) override {
    const auto start = clock_.monotonic();
    auto committed = inner_.commit(unit, after);
    if (committed) {
      metrics_.commit_took(clock_.monotonic() - start);
      metrics_.committed(unit, after.device_count());
    } else {
      metrics_.commit_failed();
    }
    return committed;
  }

 private:
  Committer& inner_;
  Clock& clock_;
  Metrics& metrics_;
};

// Hands what the pipeline did to those who wait for it: posters, readiness, the log.
class ServiceObserver final : public Observer {
 public:
  ServiceObserver(IntakeQueue& queue, Readiness& readiness)
      : queue_(queue), readiness_(readiness) {}

  void committed(const Unit& unit) override {
    queue_.committed(std::span(unit.outcomes).last(queue_.polled()));
    if (!is_well_) spdlog::info("committing again");
    become_well();
  }

  void retrying(const Error& error, Milliseconds wait) override {
    if (is_well_) spdlog::warn("{}; trying again every {}", error.message, format_duration(wait));
    is_well_ = false;
    readiness_.set(error.message);
    const Error refusal{ErrorKind::retry_later, error.message};
    queue_.close(refusal);
    queue_.give_up_polled(refusal);
  }

  void restored(const Error& cause) override {
    spdlog::warn("{}; went back to the last commit", cause.message);
    become_well();
  }

  void become_well() {
    is_well_ = true;
    readiness_.set("");
    queue_.open();
  }

 private:
  IntakeQueue& queue_;
  Readiness& readiness_;
  bool is_well_ = true;
};

Result<std::unique_ptr<Source>> open_input(const std::string& from, const Config& config,
                                           Clock& clock, Metrics& metrics) {
  if (from.empty()) return std::unique_ptr<Source>();
  if (from == "-") {
    auto stream = FileSource::open(from, config.limits, clock, Reading::follow);
    if (!stream) return pass(stream);
    return std::unique_ptr<Source>(std::move(*stream));
  }
  const auto on_gap = [&metrics](const std::string& what) {
    metrics.gap();
    spdlog::warn("{}", what);
  };
  const std::string& db = config.db_path;
  auto tail = FileTail::open(from, config.limits, clock, on_gap,
                             {db, db + "-wal", db + "-shm", db + ".lock"});
  if (!tail) return pass(tail);
  return std::unique_ptr<Source>(std::move(*tail));
}

// Ten thousand connections need as many descriptors.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

// First signal: finish what is in flight. Second: leave at once.
asio::awaitable<void> stop_on_signal(asio::io_context& context, Server& server) {
  asio::signal_set signals(context, SIGINT, SIGTERM);
  const int signal = co_await signals.async_wait(asio::use_awaitable);
  spdlog::info("signal {}: stopping", signal);
  signals.async_wait([](const boost::system::error_code& error, int second) {
    if (!error) std::_Exit(128 + second);
  });
  server.stop();
  asio::steady_timer timer(context);
  const auto deadline = std::chrono::steady_clock::now() + kDrain;
  while (!server.is_drained() && std::chrono::steady_clock::now() < deadline) {
    timer.expires_after(std::chrono::milliseconds(10));
    co_await timer.async_wait(asio::use_awaitable);
  }
  context.stop();
}

}  // namespace

Result<void> run(const LoadedConfig& loaded, const RunArguments& arguments) {
  auto log = spdlog::stderr_color_mt("dwell");
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
  spdlog::set_default_logger(log);
  raise_descriptor_limit();

  auto config = with_stored_order(loaded);
  if (!config) return pass(config);
  auto committer = open_committer(*config);
  if (!committer) return pass(committer);
  auto reader = SqliteReader::open(config->db_path);
  if (!reader) return pass(reader);
  auto slow_reader = SqliteReader::open(config->db_path);
  if (!slow_reader) return pass(slow_reader);

  SystemClock clock;
  Metrics metrics;
  Readiness readiness;
  auto input = open_input(arguments.from, *config, clock, metrics);
  if (!input) return pass(input);
  IntakeQueue queue(config->intake_limits, clock);
  LiveSource source(input->get(), queue, kLookForInput);
  ServiceObserver observer(queue, readiness);
  TimedCommitter timed(**committer, clock, metrics);
  PipelineOptions options = pipeline_options(*config);
  options.longest_retry = std::chrono::seconds(1);
  options.give_up_after = kForEver;
  Pipeline pipeline(timed, clock, observer, options);

  asio::io_context context(1);
  asio::thread_pool workers(1);
  Api api({**reader, **slow_reader, workers, queue, clock,
           [&readiness] { return readiness.reasons(); }, [&metrics] { return metrics.text(); }});
  Server server(context, api, config->http_limits,
                [&metrics](std::string_view route, Status status, std::chrono::nanoseconds took) {
                  metrics.replied(route, static_cast<unsigned>(status), took);
                });
  if (auto listening = server.listen(config->http_listen); !listening) return listening;
  spdlog::info("serving {} on http://{}", config->db_path, server.address());

  Result<void> outcome;
  std::jthread worker([&](std::stop_token stop) {
    outcome = pipeline.restore(stop);
    if (outcome) {
      observer.become_well();
      spdlog::info("ready: {} devices", pipeline.fold().device_count());
      outcome = pipeline.run(source, stop);
    }
    if (!stop.stop_requested()) context.stop();
  });
  asio::co_spawn(context, stop_on_signal(context, server), asio::detached);
  context.run();
  queue.close({ErrorKind::retry_later, "the service is stopping"});
  worker.request_stop();
  worker.join();
  workers.join();
  return outcome;
}

}  // namespace dwell
