#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <thread>

#include "app/process/caught.h"
#include "app/process/graceful_stop.h"
#include "app/process/log.h"
#include "app/process/metrics.h"
#include "app/process/service_observer.h"
#include "app/process/signals.h"
#include "app/process/system_clock.h"
#include "app/process/timed_committer.h"
#include "app/roles/pipeline_setup.h"
#include "app/roles/roles.h"
#include "file/file_tail.h"
#include "http/api/api.h"
#include "http/api/fair_reader.h"
#include "http/wire/server.h"
#include "live/live_source.h"
#include "pipeline/pipeline.h"
#include "sqlite/sqlite_committer.h"
#include "sqlite/sqlite_row_reader.h"

namespace dwell {
namespace {

namespace asio = boost::asio;

constexpr Milliseconds kLookForInput{50};  // how often the file is looked at
constexpr Milliseconds kLookAgain{200};    // at a database that cannot be used for now
constexpr Milliseconds kBusy{2'000};       // for the file's lock; a stop must not wait for longer
constexpr std::int64_t kStreamCache = 2 << 20;  // bytes
constexpr Milliseconds kForEver = std::chrono::days(36'500);

Result<std::unique_ptr<Source>> open_input(const std::string& from, const Config& config,
                                           const std::vector<std::string>& database_files,
                                           Clock& clock, Metrics& metrics, Readiness& readiness) {
  if (from.empty()) return std::unique_ptr<Source>();
  if (auto checked = check_input(from, database_files); !checked) return pass(checked);
  if (from == "-") {
    auto stream = FileSource::open(from, config.limits, clock, Reading::follow);
    if (!stream) return pass(stream);
    return std::unique_ptr<Source>(std::move(*stream));
  }
  const auto on_gap = [&metrics](const std::string& what) {
    metrics.gap();
    spdlog::warn("{}", what);
  };
  const auto on_standstill = [&readiness](const std::string& why) {
    readiness.set_input(why);
    if (why.empty()) {
      spdlog::info("reading the input again");
    } else {
      spdlog::warn("{}; looked at again and again", why);
    }
  };
  auto tail = FileTail::open(from, config.limits, clock, on_gap, database_files, on_standstill);
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

PipelineOptions service_options(const Config& config) {
  PipelineOptions options = pipeline_options(config);
  options.longest_retry = std::chrono::seconds(1);
  options.give_up_after = kForEver;
  return options;
}

struct Readers {
  std::unique_ptr<SqliteRowReader> quick, slow, stream;
};

Result<Readers> open_readers(const Config& config) {
  DatabaseOptions cached;
  cached.cache_bytes = static_cast<std::int64_t>(config.db_cache_bytes);
  // A stream comes by every page once: to keep them would only push out what is asked for again.
  DatabaseOptions passing;
  passing.cache_bytes = kStreamCache;
  auto quick = SqliteRowReader::open(config.db_path, cached);
  if (!quick) return pass(quick);
  auto slow = SqliteRowReader::open(config.db_path, cached);
  if (!slow) return pass(slow);
  auto stream = SqliteRowReader::open(config.db_path, passing);
  if (!stream) return pass(stream);
  return Readers{std::move(*quick), std::move(*slow), std::move(*stream)};
}

// A file that cannot be used for now, such as one that another program has locked, is waited for
// until a signal comes.
class StartPatience {
 public:
  explicit StartPatience(HeldSignals& signals) : signals_(signals) {}

  bool tries_again(const Error& error) {
    if (error.message != told_) spdlog::warn("{}; tried again and again", error.message);
    told_ = error.message;
    was_stopped_ = signals_.came_within(kLookAgain);
    return !was_stopped_;
  }
  bool was_stopped() const { return was_stopped_; }

 private:
  HeldSignals& signals_;
  std::string told_;
  bool was_stopped_ = false;
};

// Until `stop` is asked for or nothing can be folded any more.
Result<void> fold_events(Pipeline& pipeline, Source& source, ServiceObserver& observer,
                         const std::stop_token& stop) {
  if (auto restored = pipeline.restore(stop); !restored) return restored;
  observer.become_well();
  spdlog::info("ready: {} devices", pipeline.partitions()[0].fold.device_count());
  return pipeline.run(source, stop);
}

}  // namespace

Result<void> run_embedded(const LoadedConfig& loaded, const std::string& from) {
  log_to_stderr();
  raise_descriptor_limit();

  HeldSignals signals;
  StartPatience patience(signals);
  const auto tries_again = [&patience](const Error& error) { return patience.tries_again(error); };
  Config config;
  auto committer = open_committer(loaded, config, kBusy, tries_again);
  if (patience.was_stopped()) return {};
  if (!committer) return pass(committer);
  const auto warning = warning_of_names(config.db_path);
  if (!warning.empty()) spdlog::warn("{}", warning);
  auto readers = open_readers(config);
  while (!readers && readers.error().kind == ErrorKind::retry_later) {
    if (!tries_again(readers.error())) return {};
    readers = open_readers(config);
  }
  if (!readers) return pass(readers);

  SystemClock clock;
  Metrics metrics;
  Readiness readiness(clock, config.db_path);
  auto input = open_input(from, config, (*committer)->files(), clock, metrics, readiness);
  if (!input) return pass(input);
  // Lives longer than the queue, whose end answers requests that were cut off.
  asio::io_context context(1);
  IntakeQueue queue(config.intake_limits, clock);
  LiveSource source(input->get(), queue, kLookForInput);
  ServiceObserver observer(queue, readiness);
  TimedCommitter timed(**committer, clock, metrics, "embedded");
  Pipeline pipeline(timed, clock, observer, service_options(config));

  asio::thread_pool workers(1);
  const auto on_error = [&readiness](const Error& error) { readiness.question_failed(error); };
  FairReader::Order order;
  FairReader questions(*readers->quick, *readers->slow, workers, on_error, order);
  order.rows_at_once = 0;  // many streams that fill their buffers would hold up all else
  FairReader streams(*readers->stream, *readers->slow, workers, on_error, order);
  Api api({questions, streams, queue, clock, [&readiness] { return readiness.health(); },
           [&metrics] { return metrics.text(); }, nullptr, config.limits.record_bytes});
  Server server(
      context, [&api](Request request) { return api.handle(std::move(request)); },
      config.http_limits,
      [&metrics](std::string_view route, Status status, std::chrono::nanoseconds took) {
        metrics.replied(route, static_cast<unsigned>(status), took);
      });
  asio::co_spawn(context, stop_on_signal(context, server), asio::detached);
  context.poll();  // a signal is looked out for before anything else begins
  signals.let_go();
  if (auto listening = server.listen(config.http_listen); !listening) return listening;
  spdlog::info("serving {} on http://{}", config.db_path, server.address());

  Result<void> outcome;
  std::atomic<bool> has_failed = false;
  std::jthread worker([&](std::stop_token stop) {
    outcome = caught([&] { return fold_events(pipeline, source, observer, stop); });
    if (stop.stop_requested()) return;
    has_failed = true;
    if (outcome) {
      context.stop();  // its input has ended
    } else {
      stop_because(outcome.error(), context);
    }
  });
  server.run();
  const Error stopping{ErrorKind::retry_later, "the service is stopping"};
  queue.close(stopping);
  const bool was_asked_to_stop = !has_failed;
  worker.request_stop();
  worker.join();
  queue.give_up_polled(stopping);
  workers.join();
  end_connections(context, server);
  const bool can_go_on = !outcome && outcome.error().kind == ErrorKind::retry_later;
  if (was_asked_to_stop && can_go_on && from != "-") {
    // Whoever waited was told, and the file is read again from where the last commit was.
    spdlog::warn("stopped while nothing could be committed: {}", outcome.error().message);
    return {};
  }
  return outcome;
}

}  // namespace dwell
