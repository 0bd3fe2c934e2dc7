#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "ports/committer.h"
#include "ports/row_reader.h"
#include "ports/store_report.h"
#include "tests/fakes/memory_committer.h"
#include "tests/fakes/store_lines.h"

namespace dwell {

// One place where units go, together with what reads it: what a contract test runs on. Opens as
// many committers, one after the other, and readers as a test asks for.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;

  virtual Result<std::unique_ptr<Committer>> open(Order order, const RejectBounds& bounds = {}) = 0;
  // Its answers are awaited on context().
  virtual Result<std::unique_ptr<RowReader>> open_reader() = 0;
  virtual Result<std::unique_ptr<StoreReport>> open_report() = 0;
  boost::asio::io_context& context() { return context_; }

  // What a process that dies at this instant leaves behind.
  virtual std::unique_ptr<StoreUnderTest> crashed_copy() const = 0;

  // What can go wrong below the committer, by name. arm(i, n): the n-th step that troubles()[i] can
  // hit fails, and where trouble stays, so do all after it until it is disarmed.
  virtual std::vector<std::string> troubles() const = 0;
  virtual void arm(std::size_t trouble, std::size_t at) = 0;
  virtual void disarm() = 0;
  virtual bool was_reached() const = 0;

 private:
  boost::asio::io_context context_{1};
};

struct StoreKind {
  const char* name;
  std::unique_ptr<StoreUnderTest> (*make)();

  friend std::ostream& operator<<(std::ostream& out, const StoreKind& kind) {
    return out << kind.name;
  }
};

// Every store of this test program that keeps the contract.
std::vector<StoreKind> all_stores();

StoreKind memory_store();
StoreKind sqlite_store();

// Opens the store, restores a fold from it and closes it again; everything there is, as lines.
// A store that cannot be opened or restored gives one line that says so.
Lines restored_lines(StoreUnderTest& store, const Rule& rule);

}  // namespace dwell
