#include "app/kafka_options.h"
#include "app/membership.h"
#include "app/postgres_options.h"
#include "app/read_your_writes.h"
#include "app/roles.h"
#include "http/api.h"
#include "kafka/kafka_intake.h"

namespace dwell {
namespace {

constexpr const char* kTask = "serve";
constexpr Milliseconds kLookAtDatabase{2'000};

// The API over the database, and over the topic that events are posted to.
class ServeRole {
 public:
  ServeRole(Process& process, std::unique_ptr<KafkaIntake> intake)
      : config_(process.config()),
        clock_(process.clock()),
        status_(process.status()),
        intake_(std::move(intake)),
        reader_(process.context(), pool_options(config_)),
        visibility_(process.context(), config_, reader_),
        api_({reader_, reader_, *intake_, process.clock(),
              [&process] { return process.status().health(); },
              [&process] { return process.metrics().text(); }, &visibility_,
              config_.limits.record_bytes}) {
    status_.set(kTask, "looking for the database");
  }

  boost::asio::awaitable<Routed> handle(Request request) { return api_.handle(std::move(request)); }

  // Brings the database up to date, and tells whether it is there.
  Result<void> watch_database(const std::stop_token& stop) {
    return keep_joining(kTask, stop, clock_, status_, [&]() -> Result<void> {
      auto database = open_database(config_);
      if (!database) return pass(database);
      status_.set(kTask, "");
      while (!stop.stop_requested()) {
        if (auto answer = (*database)->execute("SELECT 1"); !answer) return pass(answer);
        wait(stop, kLookAtDatabase);
      }
      return {};
    });
  }

 private:
  static PgPoolOptions pool_options(const Config& config) {
    PgPoolOptions options;
    options.database = postgres_options(config);
    options.connections = config.serve_connections;
    options.patience = config.serve_timeout;
    return options;
  }

  const Config& config_;
  Clock& clock_;
  MemberStatus& status_;
  std::unique_ptr<KafkaIntake> intake_;
  PostgresReader reader_;
  ReadYourWrites visibility_;
  Api api_;
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
  process.answer_with([role](Request request) { return role->handle(std::move(request)); });
  process.add([role](const std::stop_token& stop) { return role->watch_database(stop); });
  return {};
}

}  // namespace dwell
