#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <optional>
#include <spdlog/spdlog.h>

#include "app/process/log.h"
#include "app/process/observers.h"
#include "app/process/process.h"
#include "app/process/readiness.h"
#include "app/process/signals.h"
#include "app/roles/pipeline_setup.h"
#include "app/roles/roles.h"
#include "file/file_tail.h"
#include "http/api/api.h"
#include "http/api/fair_reader.h"
#include "live/live_source.h"
#include "live/queue_observer.h"
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
    if (error.message != told_) spdlog::warn("{}; trying again", error.message);
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

// What one process does with a database of its own: takes events from clients and from a file that
// it follows, folds and commits them, and answers questions.
class EmbeddedService {
 public:
  EmbeddedService(Process& process, std::unique_ptr<SqliteCommitter> committer, Readers readers)
      : process_(process),
        config_(process.config()),
        committer_(std::move(committer)),
        readers_(std::move(readers)),
        readiness_(process.clock(), config_.db_path),
        queue_(config_.intake_limits, process.clock(), process.tracer()),
        health_(process.board(), ""),
        opener_(queue_),
        intake_(queue_),
        counts_(process.metrics(), StageName::embedded, process.clock()),
        summary_(config_.rule, process.clock()),
        observers_({&counts_, &opener_, &readiness_, &health_, &summary_, &intake_, &log_}),
        pipeline_(*committer_, process.clock(), observers_, service_options(config_)),
        questions_(*readers_.quick, *readers_.slow, workers_, on_error(), order_),
        streams_(*readers_.stream, *readers_.slow, workers_, on_error(), order_of_streams()),
        api_({questions_, streams_, queue_, process.clock(),
              [&process] { return process.board().health(); },
              [&process] { return process.metrics().text(); }, nullptr, config_.limits.record_bytes,
              config_.http_limits.body_bytes, config_.rule, process.tracer(), "sqlite"}) {
    process.board().set("", "restoring the committed state");
    process.board().add_check([this] { return readiness_.reasons(); });
  }

  // Follows the file `from`, - for standard input; empty: none. Errors: of the file.
  Result<void> follow(const std::string& from);

  // Until `stop` is asked for, its input ends or nothing can be folded any more.
  Result<void> fold_events(const std::stop_token& stop);

  asio::awaitable<Routed> handle(Request request) { return api_.handle(std::move(request)); }

  // Takes no event any more; then, with no fold that runs, answers whoever still waits.
  void close() { queue_.close(kStopping); }
  void end() {
    queue_.give_up_polled(kStopping);
    workers_.join();
  }

 private:
  inline static const Error kStopping{ErrorKind::retry_later, "the service is stopping"};

  std::function<void(const Error&)> on_error() {
    return [this](const Error& error) { readiness_.question_failed(error); };
  }
  // They take turns with questions.
  FairReader::Order order_of_streams() const {
    FairReader::Order order = order_;
    order.rows_at_once = 0;  // many streams that fill their buffers would hold up all else
    return order;
  }

  Process& process_;
  const Config& config_;
  std::unique_ptr<SqliteCommitter> committer_;
  Readers readers_;
  Readiness readiness_;
  std::unique_ptr<Source> input_;
  bool reads_stream_ = false;
  IntakeQueue queue_;
  std::optional<LiveSource> source_;
  HealthObserver health_;
  QueueOpener opener_;
  QueueObserver intake_;
  MetricsObserver counts_;
  LogObserver log_{""};
  SummaryObserver summary_;
  Observers observers_;
  Pipeline pipeline_;
  asio::thread_pool workers_{1};
  FairReader::Order order_;
  FairReader questions_;
  FairReader streams_;
  Api api_;
  std::shared_ptr<void> shown_ = process_.metrics().show(queue_);
};

Result<void> EmbeddedService::follow(const std::string& from) {
  const auto files = committer_->files();
  if (!from.empty()) {
    if (auto checked = check_input(from, files); !checked) return checked;
  }
  if (from == "-") {
    auto stream = FileSource::open(from, config_.limits, process_.clock(), Reading::follow,
                                   config_.rule.mapping);
    if (!stream) return pass(stream);
    input_ = std::move(*stream);
    reads_stream_ = true;
  } else if (!from.empty()) {
    const auto on_gap = [this](const std::string& what) {
      process_.metrics().gap();
      spdlog::warn("{}", what);
    };
    const auto on_standstill = [this](const std::string& why) {
      readiness_.set_input(why);
      if (why.empty()) {
        spdlog::info("reading the input again");
      } else {
        spdlog::warn("{}; looked at again and again", why);
      }
    };
    auto tail = FileTail::open(from, config_.limits, process_.clock(), on_gap, files, on_standstill,
                               config_.rule.mapping);
    if (!tail) return pass(tail);
    input_ = std::move(*tail);
  }
  source_.emplace(input_.get(), queue_, kLookForInput);
  return {};
}

Result<void> EmbeddedService::fold_events(const std::stop_token& stop) {
  const auto start = process_.clock().monotonic();
  auto done = pipeline_.restore(stop);
  if (done) {
    Ready ready;
    ready.took = process_.clock().monotonic() - start;
    ready.partitions = 1;
    ready.devices = pipeline_.partitions()[0].fold.device_count();
    ready.state_bytes = pipeline_.partitions()[0].fold.state_bytes();
    observers_.observe(ready);
    spdlog::info("ready: {} devices", ready.devices);
    done = pipeline_.run(*source_, stop);
  }
  const bool can_go_on = !done && done.error().kind == ErrorKind::retry_later;
  if (!stop.stop_requested() || !can_go_on || reads_stream_) return done;
  // Whoever waited was told, and the file is read again from where the last commit was.
  spdlog::warn("stopped while nothing could be committed: {}", done.error().message);
  return {};
}

}  // namespace

Result<void> run_embedded(const Config& loaded, const std::string& from) {
  const Log log(loaded.log);
  HeldSignals signals;
  StartPatience patience(signals);
  const auto tries_again = [&patience](const Error& error) { return patience.tries_again(error); };
  Config config;
  std::vector<std::string> warnings;
  auto committer = open_committer(loaded, config, warnings, kBusy, tries_again);
  if (patience.was_stopped()) return {};
  if (!committer) return pass(committer);
  for (const std::string& warning : warnings) spdlog::warn("{}", warning);
  auto readers = open_readers(config);
  while (!readers && readers.error().kind == ErrorKind::retry_later) {
    if (!tries_again(readers.error())) return {};
    readers = open_readers(config);
  }
  if (!readers) return pass(readers);

  Process process(config, "dwell run");
  const auto service =
      std::make_shared<EmbeddedService>(process, std::move(*committer), std::move(*readers));
  if (auto followed = service->follow(from); !followed) return followed;
  process.add("", [service](const std::stop_token& stop) { return service->fold_events(stop); });
  process.answer_with([service](Request request) { return service->handle(std::move(request)); },
                      config.db_path);
  process.at_stop([service] { service->close(); });
  process.when_stopped([service] { service->end(); });
  return process.run(config.http_listen, signals);
}

}  // namespace dwell
