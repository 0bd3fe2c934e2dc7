#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <future>

#include "app/process/database_door.h"
#include "app/process/rejoining.h"
#include "app/roles/process_roles.h"
#include "app/roles/read_your_writes.h"
#include "app/settings/kafka_options.h"
#include "http/api/api.h"
#include "kafka/flow/kafka_intake.h"

namespace dwell {
namespace {

constexpr const char* kServe = "serve";
constexpr Milliseconds kLookAtDatabase{2'000};
constexpr Milliseconds kLookForStop{50};

// The API over the database, and over the topic that events are posted to.
class ServeRole {
 public:
  ServeRole(Process& process, std::unique_ptr<KafkaIntake> intake)
      : config_(process.config()),
        clock_(process.clock()),
        board_(process.board()),
        context_(process.context()),
        door_(config_),
        intake_(std::move(intake)),
        reader_(process.context(), pool_options(process), config_.topics.cleaned),
        visibility_(process.context(), config_, reader_),
        api_({reader_, reader_, *intake_, process.clock(),
              [&process] { return process.board().health(); },
              [&process] { return process.metrics().text(); }, &visibility_,
              config_.limits.record_bytes, config_.http_limits.body_bytes, config_.rule,
              process.tracer(), "postgresql"}),
        intake_shown_(process.metrics().show(*intake_)),
        pool_shown_(process.metrics().add_readings([this] { return pool_readings(); })) {
    board_.set(kServe, "looking for the database");
  }

  boost::asio::awaitable<Routed> handle(Request request) { return api_.handle(std::move(request)); }

  // Brings the database up to date, and tells whether questions are answered. It keeps no
  // connection of its own: where the database gives few, questions need them.
  Result<void> watch_database(const std::stop_token& stop) {
    return keep_joining(kServe, stop, clock_, board_, [&]() -> Result<void> {
      if (!door_.was_open() || !look(stop)) {
        if (auto database = door_.open(); !database) return pass(database);
      }
      for (;;) {
        if (auto looked = look(stop); !looked) return may_pass(looked.error());
        if (stop.stop_requested()) return {};
        board_.set(kServe, "");
        clock_.sleep(kLookAtDatabase, stop);
      }
    });
  }

 private:
  // Asks the thread that serves.
  Result<void> look(const std::stop_token& stop) {
    auto checked = boost::asio::co_spawn(context_, check(), boost::asio::use_future);
    while (checked.wait_for(kLookForStop) != std::future_status::ready) {
      if (stop.stop_requested()) return {};
    }
    return checked.get();
  }

  boost::asio::awaitable<Result<void>> check() {
    auto checked = co_await reader_.check();
    // Whoever is told that it is ready may come with many questions at once.
    if (checked && !is_ready_) co_await reader_.open_all();
    is_ready_ = checked.has_value();
    const PgPoolState connections = reader_.connections();
    board_.warn(kServe,
                connections.open > 0 && !connections.shortage.empty()
                    ? fmt::format("{} of {} connections to the database (serve.connections): {}",
                                  connections.open, config_.serve_connections, connections.shortage)
                    : "");
    co_return checked;
  }

  std::vector<Metrics::Reading> pool_readings() const {
    const PgPoolLoad load = reader_.load();
    constexpr const char* kConnections = "dwell_database_connections";
    constexpr const char* kHelp = "Open connections to the database that questions use";
    const auto idle = load.connections - std::min(load.connections, load.busy);
    return {{kConnections, kHelp, static_cast<double>(load.busy), {{"state", "busy"}}},
            {kConnections, kHelp, static_cast<double>(idle), {{"state", "idle"}}},
            {"dwell_database_waiting", "Questions that wait for a connection to the database",
             static_cast<double>(load.waiting)}};
  }

  static PgPoolOptions pool_options(Process& process) {
    const Config& config = process.config();
    PgPoolOptions options;
    options.database = postgres_options(config);
    options.connections = config.serve_connections;
    options.patience = config.serve_timeout;
    options.on_wait = [&waits =
                           process.metrics().connection_wait()](std::chrono::nanoseconds waited) {
      waits.Observe(std::chrono::duration<double>(waited).count());
    };
    return options;
  }

  const Config& config_;
  Clock& clock_;
  HealthBoard& board_;
  boost::asio::io_context& context_;
  DatabaseDoor door_;
  std::unique_ptr<KafkaIntake> intake_;
  PostgresRowReader reader_;
  ReadYourWrites visibility_;
  bool is_ready_ = false;  // as far as the last look tells; of the thread that serves
  Api api_;
  std::shared_ptr<void> intake_shown_;
  std::shared_ptr<void> pool_shown_;
};

}  // namespace

Result<void> add_serve(Process& process) {
  const Config& config = process.config();
  KafkaIntakeOptions options;
  options.topic = config.topics.input;
  options.record_bytes = config.limits.record_bytes;
  options.queued_bytes = config.intake_limits.queued_bytes;
  auto intake = KafkaIntake::open(kafka_options(config), options);
  if (!intake) return pass(intake);
  const auto role = std::make_shared<ServeRole>(process, std::move(*intake));
  process.topics().add(config.topics.input);
  process.answer_with([role](Request request) { return role->handle(std::move(request)); });
  process.add(kServe, [role](const std::stop_token& stop) { return role->watch_database(stop); });
  return {};
}

}  // namespace dwell
