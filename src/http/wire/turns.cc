#include "http/wire/turns.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <list>
#include <optional>

#include "base/await.h"

namespace dwell {
namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

}  // namespace

class Turns::State : public std::enable_shared_from_this<State> {
 public:
  explicit State(const Bounds& bounds) : bounds(bounds) {}

  // An asker's place among those that wait, until it has the turn or gives up.
  class Place {
   public:
    Place(State& state, asio::steady_timer& bell)
        : state_(state), bell_(bell), place_(state.waiting_.insert(state.waiting_.end(), this)) {}
    ~Place() {
      if (place_ != state_.waiting_.end()) state_.waiting_.erase(place_);
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    // The asker goes on by way of the loop, behind all that is ready there.
    void give(Turn turn) {
      turn_.emplace(std::move(turn));
      place_ = state_.waiting_.end();
      bell_.cancel();
    }
    std::optional<Turn>& turn() { return turn_; }

   private:
    State& state_;
    asio::steady_timer& bell_;
    std::list<Place*>::iterator place_;
    std::optional<Turn> turn_;
  };

  std::optional<Turn> take_free() {
    if (std::exchange(is_taken_, true)) return std::nullopt;
    return Turn(shared_from_this());
  }
  bool is_full() const { return waiting_.size() >= bounds.waiting; }

  void end() {
    is_taken_ = !waiting_.empty();
    if (!is_taken_) return;
    Place* const next = waiting_.front();
    waiting_.pop_front();
    next->give(Turn(shared_from_this()));
  }

  const Bounds bounds;

 private:
  bool is_taken_ = false;
  std::list<Place*> waiting_;
};

Turns::Turns(const Bounds& bounds) : state_(std::make_shared<State>(bounds)) {}

asio::awaitable<Result<Turns::Turn>> Turns::take() {
  const auto state = state_;
  if (auto turn = state->take_free()) co_return std::move(*turn);
  if (state->is_full()) {
    co_return fail(ErrorKind::retry_later, "{} questions of this kind wait already",
                   state->bounds.waiting);
  }
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer bell(executor, state->bounds.patience);
  State::Place place(*state, bell);
  const auto [stopped] = co_await bell.async_wait(kAwait);
  if (place.turn()) co_return std::move(*place.turn());
  if (stopped) co_return fail(ErrorKind::retry_later, "the client has left");
  co_return fail(ErrorKind::retry_later,
                 "the question waited {} ms for those before it; ask again, or fewer at a time",
                 state->bounds.patience.count());
}

Turns::Turn::~Turn() {
  if (state_) state_->end();
}

}  // namespace dwell
