#include "postgres/pool.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <list>
#include <optional>

#include "base/await.h"
#include "base/on_worker.h"
#include "postgres/migrations.h"
#include "postgres/pool_slot.h"

namespace dwell {
namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kSweep{250};       // how often late questions are looked for
constexpr std::chrono::milliseconds kFirstPause{100};  // after a database did not open
constexpr std::chrono::milliseconds kLongestPause{2'000};

// Two more statements: one begins a transaction, the last one ends it.
PgPoolOptions with_transactions(PgPoolOptions options) {
  options.statements.emplace_back("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
  options.statements.emplace_back("ROLLBACK");
  return options;
}

}  // namespace

class PgPool::State : public std::enable_shared_from_this<State> {
  struct Question {
    std::size_t statement;
    const PgParameters& parameters;
    steady_clock::time_point deadline;
  };
  class Lease;
  class OpenTransaction;

 public:
  State(asio::io_context& context, PgPoolOptions options)
      : context_(context),
        options_(with_transactions(std::move(options))),
        sweep_(context),
        opening_(context) {
    for (std::size_t i = 0; i < options_.statements.size(); ++i) {
      names_.push_back(fmt::format("s{}", i));
    }
    for (std::size_t i = 0; i < options_.connections; ++i) {
      closed_.push_back(&slots_.emplace_back(context));
    }
  }

  asio::awaitable<Result<PgResult>> run(std::size_t statement, const PgParameters& parameters,
                                        std::chrono::milliseconds patience) {
    const Question question{statement, parameters,
                            steady_clock::now() + std::min(patience, options_.patience)};
    auto answer = co_await run(question);
    silence_ = answer ? "" : answer.error().message;
    co_return answer;
  }

  asio::awaitable<Result<PgResult>> run(const Question& question) {
    for (;;) {
      Lease lease(*this, question);
      if (auto got = co_await lease.take(); !got) co_return pass(got);
      PgSlot& slot = lease.slot();
      slot.is_abandoned = false;
      const bool was_old = slot.is_old();
      auto answer = co_await ask(slot, question);
      if (answer || slot.is_open() || slot.is_abandoned || !was_old) co_return answer;
      // It broke while nobody used it, most likely: the server was started anew. Once more; each
      // such connection is gone then, and a new one is not asked twice.
      close_broken();
    }
  }

  asio::awaitable<Result<std::unique_ptr<PgPool::Transaction>>> begin();

  asio::awaitable<void> open_all() {
    const auto self = shared_from_this();
    close_broken();
    for (std::size_t i = 0; i < slots_.size() && !is_closed_; ++i) {
      if (closed_.empty() && !is_opening_) co_return;
      grow();
      if (!is_opening_) co_return;  // the last one was refused
      opening_.expires_after(options_.opening);
      const auto [cancelled] = co_await opening_.async_wait(kAwait);
      if (!cancelled) co_return;
    }
  }

  PgPoolState state() const {
    PgPoolState state;
    state.open = static_cast<std::size_t>(std::count_if(
        slots_.begin(), slots_.end(), [](const PgSlot& slot) { return slot.is_open(); }));
    state.idle = free_.size();
    if (closed_because_) state.shortage = closed_because_->message;
    state.silence = silence_;
    return state;
  }

  PgPoolLoad load() const { return {open_now_, busy_now_, waiting_now_}; }

  asio::awaitable<void> sweep() {
    const auto self = shared_from_this();
    while (!is_closed_) {
      sweep_.expires_after(kSweep);
      co_await sweep_.async_wait(kAwait);
      const auto now = steady_clock::now();
      for (PgSlot& slot : slots_) {
        const bool is_busy = std::find(free_.begin(), free_.end(), &slot) == free_.end();
        if (is_busy && slot.socket().is_open() && now > slot.deadline) slot.socket().cancel();
      }
      if (!waiting_.empty()) grow();
    }
  }

  void close() {
    is_closed_ = true;
    sweep_.cancel();
    opening_.cancel();
    for (PgSlot& slot : slots_) {
      if (slot.socket().is_open()) slot.socket().cancel();
    }
    worker_.join();
  }

 private:
  // A question's hold on a slot, from its wait for one to its end, however that comes.
  class Lease {
   public:
    Lease(State& state, const Question& question)
        : state_(state.shared_from_this()), question_(question), place_(state.waiting_.end()) {}
    ~Lease() {
      if (slot_) state_->give_back(*slot_);
      if (place_ != state_->waiting_.end()) state_->waiting_.erase(place_);
      state_->note_load();
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    // An open connection: one that is free, or the first that comes free or can be opened.
    asio::awaitable<Result<void>> take() {
      slot_ = state_->take_open();
      state_->note_load();
      if (slot_) {
        slot_->deadline = question_.deadline;
        state_->note_wait({});
        co_return Result<void>();
      }
      if (state_->waiting_.size() >= state_->options_.waiting) {
        co_return fail(ErrorKind::retry_later, "too many questions at a time");
      }
      const auto start = steady_clock::now();
      place_ = state_->waiting_.insert(state_->waiting_.end(), this);
      state_->note_load();
      state_->grow();
      if (refused_) co_return Failure(*refused_);
      timer_.emplace(state_->context_).expires_at(question_.deadline);
      co_await timer_->async_wait(kAwait);
      state_->note_wait(steady_clock::now() - start);
      if (slot_) co_return Result<void>();
      if (refused_) co_return Failure(*refused_);
      co_return fail(ErrorKind::retry_later, "no connection to the database came free in time{}{}",
                     state_->closed_because_ ? "; more of them: " : "",
                     state_->closed_because_ ? state_->closed_because_->message : "");
    }

    // Asks at once, if it can: the database works while the last answer is made use of.
    void give(PgSlot& slot) {
      slot_ = &slot;
      slot.deadline = question_.deadline;
      place_ = state_->waiting_.end();
      if (slot.is_open() && slot.has(question_.statement)) state_->send(slot, question_);
      timer_->cancel();
    }

    void refuse(const Error& why) {
      refused_ = why;
      place_ = state_->waiting_.end();
      if (timer_) timer_->cancel();
    }

    PgSlot& slot() { return *slot_; }

   private:
    std::shared_ptr<State> state_;
    const Question& question_;
    std::optional<asio::steady_timer> timer_;  // while it waits
    std::list<Lease*>::iterator place_;
    PgSlot* slot_ = nullptr;
    std::optional<Error> refused_;  // instead of a slot
  };

  // The one used last first; nullptr: all are busy or closed.
  PgSlot* take_open() {
    while (!free_.empty()) {
      PgSlot* const slot = free_.back();
      free_.pop_back();
      if (slot->is_open()) return slot;
      closed_.push_back(slot);
    }
    return nullptr;
  }

  // Opens one more connection for those that wait. Where none opens they wait for the open ones,
  // and where there is none either they are told why.
  void grow() {
    if (is_opening_) return;  // one after the other, on one worker
    if (steady_clock::now() < closed_until_) {
      if (!has_open()) refuse_all();
      return;
    }
    if (closed_.empty() || is_closed_) return;
    PgSlot* const slot = closed_.back();
    closed_.pop_back();
    is_opening_ = true;
    asio::co_spawn(context_, open(shared_from_this(), slot), asio::detached);
  }

  asio::awaitable<void> open(std::shared_ptr<State> /*keeps this*/, PgSlot* slot) {
    // On the worker: names are looked up and secrets agreed on while others are answered.
    auto opened = co_await on_worker(worker_, [this] { return connect(); });
    is_opening_ = false;
    opening_.cancel();
    if (opened) {
      closed_because_.reset();
      pause_ = kFirstPause;
      slot->hold(std::move(*opened));
      give_back(*slot);
      note_load();
      if (!waiting_.empty()) grow();
      co_return;
    }
    closed_.push_back(slot);
    closed_because_ = opened.error();
    closed_until_ = steady_clock::now() + pause_;
    pause_ = std::min(2 * pause_, kLongestPause);
    if (!has_open()) refuse_all();
  }

  // For load(), which other threads ask.
  void note_load() {
    const auto open = static_cast<std::size_t>(std::count_if(
        slots_.begin(), slots_.end(), [](const PgSlot& slot) { return slot.is_open(); }));
    open_now_ = open;
    busy_now_ = open - std::min(open, free_.size());
    waiting_now_ = waiting_.size();
  }
  void note_wait(std::chrono::nanoseconds duration) const {
    if (options_.on_wait) options_.on_wait(duration);
  }

  bool has_open() const {
    return std::any_of(slots_.begin(), slots_.end(),
                       [](const PgSlot& slot) { return slot.is_open(); });
  }

  // Those that ended while nobody used them.
  void close_broken() {
    for (PgSlot* idle : free_) idle->notice_end();
    const auto broken = std::stable_partition(free_.begin(), free_.end(),
                                              [](const PgSlot* slot) { return slot->is_open(); });
    closed_.insert(closed_.end(), broken, free_.end());
    free_.erase(broken, free_.end());
    note_load();
  }

  void refuse_all() {
    while (!waiting_.empty()) {
      Lease* const next = waiting_.front();
      waiting_.pop_front();
      next->refuse(*closed_because_);
    }
  }

  void give_back(PgSlot& slot) {
    if (slot.is_asked) (void)abandon(slot);  // the asker left before the answer
    if (!slot.is_open()) {
      closed_.push_back(&slot);
      if (!waiting_.empty()) grow();
      return;
    }
    if (waiting_.empty()) {
      slot.rest();
      free_.push_back(&slot);
      return;
    }
    Lease* const next = waiting_.front();
    waiting_.pop_front();
    next->give(slot);
  }

  // The worker's thread alone. What is wrong with a database that is served may be mended.
  Result<std::unique_ptr<PgConnection>> connect() const {
    auto connection = PgConnection::open(options_.database);
    if (connection) {
      if (auto checked = check_schema(**connection); !checked) connection = pass(checked);
    }
    if (!connection) connection.error().kind = ErrorKind::retry_later;
    return connection;
  }

  asio::awaitable<Result<PgResult>> ask(PgSlot& slot, const Question& question) {
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

  void send(PgSlot& slot, const Question& question) {
    const PgParameters& parameters = question.parameters;
    slot.is_asked = PQsendQueryPrepared(slot.connection().get(), names_[question.statement].c_str(),
                                        parameters.count(), parameters.values(),
                                        parameters.lengths(), parameters.formats(), 1) == 1;
  }

  asio::awaitable<Result<PgResult>> answer(PgSlot& slot) {
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
    PgConnection& connection = slot.connection();
    const bool is_stale = !answer && connection.remedy() == SqlRemedy::prepare;
    if (!connection.is_open() || is_stale) (void)slot.release();
    if (is_stale) close_idle();
    co_return answer;
  }

  // The tables have changed since these connections looked at them.
  void close_idle() {
    for (PgSlot* idle : free_) (void)idle->release();
    close_broken();
  }

  static Result<PgResult> broken(PgSlot& slot) {
    auto connection = slot.release();
    return connection->checked(nullptr);
  }

  // Nobody waits any more for what the server does.
  Result<PgResult> abandon(PgSlot& slot) {
    slot.is_abandoned = true;
    auto connection = slot.release();
    const auto name = connection->name();
    asio::post(worker_,
               [connection = std::move(connection)] { PgConnection::cancel(*connection); });
    return fail(ErrorKind::retry_later, "database {}: no answer within {} ms", name,
                options_.patience.count());
  }

  std::size_t begin_statement() const { return options_.statements.size() - 2; }
  std::size_t end_statement() const { return options_.statements.size() - 1; }

  // Ends a transaction whose owner has what it wanted, and gives the slot back.
  static asio::awaitable<void> end(std::shared_ptr<State> self, std::unique_ptr<Lease> lease);

  asio::io_context& context_;
  const PgPoolOptions options_;
  std::vector<std::string> names_;  // of the statements
  std::list<PgSlot> slots_;
  std::vector<PgSlot*> free_;    // open, as far as is known, and not asked
  std::vector<PgSlot*> closed_;  // and not being opened
  std::list<Lease*> waiting_;
  asio::steady_timer sweep_;
  asio::steady_timer
      opening_;  // runs while open_all() waits for a connection; cancelled by its end
  bool is_closed_ = false;
  std::atomic<std::size_t> open_now_{0};
  std::atomic<std::size_t> busy_now_{0};
  std::atomic<std::size_t> waiting_now_{0};
  std::string silence_;  // of the last question that came to an end

  bool is_opening_ = false;
  std::optional<Error> closed_because_;  // what kept the last one from opening
  steady_clock::time_point closed_until_{};
  std::chrono::milliseconds pause_ = kFirstPause;
  asio::thread_pool worker_{1};  // for what waits
};

class PgPool::State::OpenTransaction final : public PgPool::Transaction {
 public:
  explicit OpenTransaction(State& state)
      : state_(state.shared_from_this()),
        begin_{state.begin_statement(), none_, steady_clock::now() + state.options_.patience} {}
  ~OpenTransaction() override {
    if (!lease_ || !is_begun_ || lease_->slot().is_asked || !lease_->slot().is_open()) return;
    asio::co_spawn(state_->context_, end(state_, std::move(lease_)), asio::detached);
  }

  asio::awaitable<Result<void>> begin() {
    for (;;) {
      lease_ = std::make_unique<Lease>(*state_, begin_);
      if (auto got = co_await lease_->take(); !got) co_return got;
      PgSlot& slot = lease_->slot();
      slot.is_abandoned = false;
      const bool was_old = slot.is_old();
      auto begun = co_await state_->ask(slot, begin_);
      is_begun_ = begun.has_value();
      if (begun) co_return Result<void>();
      if (slot.is_open() || slot.is_abandoned || !was_old) co_return pass(begun);
      state_->close_broken();  // as in State::run()
    }
  }

  asio::awaitable<Result<PgResult>> run(std::size_t statement,
                                        const PgParameters& parameters) override {
    if (failed_) {
      co_return fail(failed_->kind, "{}; it has ended this transaction: begin another one",
                     failed_->message);
    }
    const Question question{statement, parameters, begin_.deadline};
    auto answer = co_await state_->ask(lease_->slot(), question);
    is_begun_ = lease_->slot().is_open();
    if (!answer) failed_ = answer.error();
    state_->silence_ = answer ? "" : answer.error().message;
    co_return answer;
  }

 private:
  const std::shared_ptr<State> state_;
  const PgParameters none_;
  const Question begin_;
  std::unique_ptr<Lease> lease_;
  bool is_begun_ = false;
  std::optional<Error> failed_;  // the first question without an answer
};

asio::awaitable<Result<std::unique_ptr<PgPool::Transaction>>> PgPool::State::begin() {
  auto transaction = std::make_unique<OpenTransaction>(*this);
  if (auto begun = co_await transaction->begin(); !begun) {
    silence_ = begun.error().message;
    co_return pass(begun);
  }
  co_return std::unique_ptr<PgPool::Transaction>(std::move(transaction));
}

asio::awaitable<void> PgPool::State::end(std::shared_ptr<State> self,
                                         std::unique_ptr<Lease> lease) {
  const PgParameters none;
  const Question question{self->end_statement(), none,
                          steady_clock::now() + self->options_.patience};
  PgSlot& slot = lease->slot();
  slot.deadline = question.deadline;
  const auto ended = co_await self->ask(slot, question);
  if (!ended && slot.is_open()) (void)slot.release();
}

PgPool::PgPool(asio::io_context& context, PgPoolOptions options)
    : state_(std::make_shared<State>(context, std::move(options))) {
  asio::co_spawn(context, state_->sweep(), asio::detached);
}

PgPool::~PgPool() {
  state_->close();
}

asio::awaitable<Result<PgResult>> PgPool::run(std::size_t statement,
                                              const PgParameters& parameters) {
  return state_->run(statement, parameters, std::chrono::milliseconds::max());
}

asio::awaitable<Result<PgResult>> PgPool::run(std::size_t statement, const PgParameters& parameters,
                                              std::chrono::milliseconds patience) {
  return state_->run(statement, parameters, patience);
}

asio::awaitable<Result<std::unique_ptr<PgPool::Transaction>>> PgPool::begin() {
  return state_->begin();
}

asio::awaitable<void> PgPool::open_all() {
  return state_->open_all();
}

PgPoolState PgPool::state() const {
  return state_->state();
}

PgPoolLoad PgPool::load() const {
  return state_->load();
}

}  // namespace dwell
