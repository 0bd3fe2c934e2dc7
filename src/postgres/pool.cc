#include "postgres/pool.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <optional>
#include <set>

#include "base/on_worker.h"
#include "postgres/migrations.h"

namespace dwell {
namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kSweep{250};       // how often late questions are looked for
constexpr std::chrono::milliseconds kFirstPause{100};  // after a database did not open
constexpr std::chrono::milliseconds kLongestPause{2'000};

// One connection, or the place for one.
class Slot {
 public:
  explicit Slot(asio::io_context& context) : socket_(context) {}
  ~Slot() { (void)release(); }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  bool is_open() const { return connection_ && connection_->is_open(); }
  PgConnection& connection() { return *connection_; }
  asio::posix::stream_descriptor& socket() { return socket_; }

  void hold(std::unique_ptr<PgConnection> connection) {
    (void)release();
    connection_ = std::move(connection);
    PQsetnonblocking(connection_->get(), 1);
    socket_.assign(PQsocket(connection_->get()));
    prepared_.clear();
  }

  std::unique_ptr<PgConnection> release() {
    is_asked = false;
    if (socket_.is_open()) socket_.release();  // libpq closes it
    return std::move(connection_);
  }

  bool has(std::size_t statement) const { return prepared_.contains(statement); }
  void has_prepared(std::size_t statement) { prepared_.insert(statement); }

  steady_clock::time_point deadline{};
  bool is_asked = false;      // a question whose answer is not here yet
  bool is_abandoned = false;  // the question, by its asker or for being late

 private:
  std::unique_ptr<PgConnection> connection_;
  std::set<std::size_t> prepared_;
  asio::posix::stream_descriptor socket_;
};

}  // namespace

class PgPool::State : public std::enable_shared_from_this<State> {
 public:
  State(asio::io_context& context, PgPoolOptions options)
      : context_(context), options_(std::move(options)), sweep_(context) {
    for (std::size_t i = 0; i < options_.statements.size(); ++i) {
      names_.push_back(fmt::format("s{}", i));
    }
    for (std::size_t i = 0; i < options_.connections; ++i) {
      free_.push_back(&slots_.emplace_back(context));
    }
  }

  asio::awaitable<Result<PgResult>> run(std::size_t statement, const PgParameters& parameters) {
    const Question question{statement, parameters, steady_clock::now() + options_.patience};
    Lease lease(*this, question);
    if (!lease.take_free() && !co_await lease.wait()) {
      co_return fail(ErrorKind::retry_later, "too many questions at a time");
    }
    Slot& slot = lease.slot();
    slot.is_abandoned = false;
    if (slot.is_open()) {
      auto answer = co_await ask(slot, question);
      if (answer || slot.is_open() || slot.is_abandoned) co_return answer;
    }
    // It broke while nobody used it, most likely: the server was started anew.
    if (auto opened = co_await open(slot); !opened) co_return pass(opened);
    co_return co_await ask(slot, question);
  }

  asio::awaitable<void> sweep() {
    const auto self = shared_from_this();
    while (!is_closed_) {
      sweep_.expires_after(kSweep);
      co_await sweep_.async_wait(kAwait);
      const auto now = steady_clock::now();
      for (Slot& slot : slots_) {
        const bool is_busy = std::find(free_.begin(), free_.end(), &slot) == free_.end();
        if (is_busy && slot.socket().is_open() && now > slot.deadline) slot.socket().cancel();
      }
    }
  }

  void close() {
    is_closed_ = true;
    sweep_.cancel();
    for (Slot& slot : slots_) {
      if (slot.socket().is_open()) slot.socket().cancel();
    }
    worker_.join();
  }

 private:
  struct Question {
    std::size_t statement;
    const PgParameters& parameters;
    steady_clock::time_point deadline;
  };

  // A question's hold on a slot, from its wait for one to its end, however that comes.
  class Lease {
   public:
    Lease(State& state, const Question& question)
        : state_(state.shared_from_this()), question_(question), place_(state.waiting_.end()) {}
    ~Lease() {
      if (slot_) state_->give_back(*slot_);
      if (place_ != state_->waiting_.end()) state_->waiting_.erase(place_);
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    bool take_free() {
      if (state_->free_.empty()) return false;
      slot_ = state_->free_.back();
      slot_->deadline = question_.deadline;
      state_->free_.pop_back();
      return true;
    }

    // False: none came free in time.
    asio::awaitable<bool> wait() {
      if (state_->waiting_.size() >= state_->options_.waiting) co_return false;
      place_ = state_->waiting_.insert(state_->waiting_.end(), this);
      timer_.emplace(state_->context_).expires_at(question_.deadline);
      co_await timer_->async_wait(kAwait);
      co_return slot_ != nullptr;
    }

    // Asks at once, if it can: the database works while the last answer is made use of.
    void give(Slot& slot) {
      slot_ = &slot;
      slot.deadline = question_.deadline;
      place_ = state_->waiting_.end();
      if (slot.is_open() && slot.has(question_.statement)) state_->send(slot, question_);
      timer_->cancel();
    }

    Slot& slot() { return *slot_; }

   private:
    std::shared_ptr<State> state_;
    const Question& question_;
    std::optional<asio::steady_timer> timer_;  // while it waits
    std::list<Lease*>::iterator place_;
    Slot* slot_ = nullptr;
  };

  void give_back(Slot& slot) {
    if (slot.is_asked) (void)abandon(slot);  // the asker left before the answer
    if (waiting_.empty()) {
      free_.push_back(&slot);  // the one used last is used first
      return;
    }
    Lease* const next = waiting_.front();
    waiting_.pop_front();
    next->give(slot);
  }

  // Opened on the worker: names are looked up and secrets agreed on while others are answered.
  asio::awaitable<Result<void>> open(Slot& slot) {
    auto opened = co_await on_worker(worker_, [this] { return connect(); });
    if (!opened) co_return pass(opened);
    slot.hold(std::move(*opened));
    co_return Result<void>();
  }

  // The worker's thread alone.
  Result<std::unique_ptr<PgConnection>> connect() {
    if (steady_clock::now() < closed_until_) return Failure(closed_because_);
    auto connection = PgConnection::open(options_.database);
    if (connection) {
      if (auto checked = check_schema(**connection); !checked) connection = pass(checked);
    }
    if (connection) {
      pause_ = kFirstPause;
    } else {
      closed_because_ = connection.error();
      closed_until_ = steady_clock::now() + pause_;
      pause_ = std::min(2 * pause_, kLongestPause);
    }
    return connection;
  }

  asio::awaitable<Result<PgResult>> ask(Slot& slot, const Question& question) {
    if (!slot.has(question.statement)) {
      const auto& sql = options_.statements.at(question.statement);
      slot.is_asked = PQsendPrepare(slot.connection().get(), names_[question.statement].c_str(),
                                    sql.c_str(), 0, nullptr) == 1;
      auto prepared = co_await answer(slot);
      if (!prepared) co_return prepared;
      slot.has_prepared(question.statement);
    }
    if (!slot.is_asked) send(slot, question);
    co_return co_await answer(slot);
  }

  void send(Slot& slot, const Question& question) {
    const PgParameters& parameters = question.parameters;
    slot.is_asked = PQsendQueryPrepared(slot.connection().get(), names_[question.statement].c_str(),
                                        parameters.count(), parameters.values(),
                                        parameters.lengths(), parameters.formats(), 1) == 1;
  }

  asio::awaitable<Result<PgResult>> answer(Slot& slot) {
    if (!slot.is_asked) co_return broken(slot);
    PGconn* const handle = slot.connection().get();
    for (int left = PQflush(handle); left != 0; left = PQflush(handle)) {
      if (left < 0) co_return broken(slot);
      const auto [error] =
          co_await slot.socket().async_wait(asio::posix::descriptor_base::wait_write, kAwait);
      if (error) co_return abandon(slot);
    }
    Result<PgResult> answer = fail(ErrorKind::fatal, "no answer");
    for (;;) {
      while (PQisBusy(handle) == 1) {
        const auto [error] =
            co_await slot.socket().async_wait(asio::posix::descriptor_base::wait_read, kAwait);
        if (error) co_return abandon(slot);
        if (PQconsumeInput(handle) != 1) co_return broken(slot);
      }
      PGresult* const result = PQgetResult(handle);
      if (!result) break;
      answer = slot.connection().checked(result);
    }
    slot.is_asked = false;
    if (!slot.connection().is_open()) (void)slot.release();
    co_return answer;
  }

  static Result<PgResult> broken(Slot& slot) {
    auto connection = slot.release();
    return connection->checked(nullptr);
  }

  // Nobody waits any more for what the server does.
  Result<PgResult> abandon(Slot& slot) {
    slot.is_abandoned = true;
    auto connection = slot.release();
    const auto name = connection->name();
    asio::post(worker_,
               [connection = std::move(connection)] { PgConnection::cancel(*connection); });
    return fail(ErrorKind::retry_later, "database {}: no answer within {} ms", name,
                options_.patience.count());
  }

  asio::io_context& context_;
  const PgPoolOptions options_;
  std::vector<std::string> names_;  // of the statements
  std::list<Slot> slots_;
  std::vector<Slot*> free_;
  std::list<Lease*> waiting_;
  asio::steady_timer sweep_;
  bool is_closed_ = false;

  // The worker's thread alone.
  steady_clock::time_point closed_until_{};
  Error closed_because_{ErrorKind::retry_later, ""};
  std::chrono::milliseconds pause_ = kFirstPause;
  asio::thread_pool worker_{1};  // for what waits
};

PgPool::PgPool(asio::io_context& context, PgPoolOptions options)
    : state_(std::make_shared<State>(context, std::move(options))) {
  asio::co_spawn(context, state_->sweep(), asio::detached);
}

PgPool::~PgPool() {
  state_->close();
}

asio::awaitable<Result<PgResult>> PgPool::run(std::size_t statement,
                                              const PgParameters& parameters) {
  return state_->run(statement, parameters);
}

}  // namespace dwell
