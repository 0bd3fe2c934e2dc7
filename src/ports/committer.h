#pragma once

#include <vector>

#include "base/result.h"
#include "core/fold.h"
#include "core/record.h"

namespace dwell {

// Where units go: rows, device states, totals, rejected records and input positions, together.
// One thread at a time.
//
// Law: after commit(u) returned ok, restore() in any process gives the state after u. After any
// error but `unknown_outcome` it gives the state before u, and the same commit may be tried again;
// after `unknown_outcome` only restore() is legal.
class Committer {
 public:
  virtual ~Committer() = default;

  // Fills `fold`, which is empty, with the committed states and totals; returns the committed
  // positions of all inputs. Called first, and again after a commit failed.
  virtual Result<std::vector<Position>> restore(Fold& fold) = 0;

  // Makes `unit` durable. `after` is the fold that returned it, not moved on since: the place to
  // encode the states of unit.touched from.
  virtual Result<void> commit(const Unit& unit, const Fold& after) = 0;
};

}  // namespace dwell
