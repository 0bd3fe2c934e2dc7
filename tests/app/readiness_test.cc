#include "app/process/readiness.h"

#include <gmock/gmock.h>

#include "app/process/observers.h"
#include "pipeline/pipeline.h"
#include "tests/fakes/fake_clock.h"

namespace dwell {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Each commit takes as long as it is told to; what the service says of itself then is kept.
class SlowCommitter final : public Committer {
 public:
  SlowCommitter(Clock& clock, HealthBoard& board) : clock_(clock), board_(board) {}

  Result<void> restore(std::span<Partition>) override {
    reasons = board_.health().not_ready_because;
    return {};
  }
  Result<void> commit(std::span<const Partition>) override {
    clock_.sleep(time);
    reasons = board_.health().not_ready_because;
    return {};
  }

  Milliseconds time{0};
  std::vector<std::string> reasons;

 private:
  Clock& clock_;
  HealthBoard& board_;
};

class NoQueue final : public Source {
 public:
  Result<Batch> poll() override { return Batch{{}, true}; }
  Result<void> seek(PartitionId, std::span<const Position>) override { return {}; }
};

class ReadinessTest : public testing::Test {
 protected:
  std::vector<std::string> reasons_now() const { return board_.health().not_ready_because; }

  ReadinessTest() {
    board_.set("", "restoring the committed state");
    board_.add_check([this] { return readiness_.reasons(); });
  }

  FakeClock clock_;
  HealthBoard board_;
  Readiness readiness_{clock_, "dwell.db"};
  HealthObserver health_{board_, ""};
  Observers observer_{{&readiness_, &health_}};
  SlowCommitter committer_{clock_, board_};
  Pipeline pipeline_{committer_, clock_, observer_, PipelineOptions()};
  NoQueue source_;
};

TEST_F(ReadinessTest, ACommitThatHangsIsToldWhileItHangs) {
  ASSERT_TRUE(pipeline_.restore());
  EXPECT_THAT(committer_.reasons, ElementsAre("restoring the committed state"));
  observer_.observe(Ready{});
  for (const auto& [time, is_ready] :
       {std::pair(Milliseconds(4'900), true), std::pair(Milliseconds(17'000), false),
        std::pair(Milliseconds(0), true)}) {
    committer_.time = time;
    ASSERT_TRUE(pipeline_.run(source_, {}));
    if (is_ready) {
      EXPECT_THAT(committer_.reasons, IsEmpty()) << time.count();
    } else {
      EXPECT_THAT(committer_.reasons,
                  ElementsAre(AllOf(HasSubstr("dwell.db"), HasSubstr("for 17 s"))));
    }
    observer_.observe(Polling{});  // as the next round does
    EXPECT_THAT(reasons_now(), IsEmpty());
  }
}

// A failing commit has its own reason, however long it is tried again.
TEST_F(ReadinessTest, ACommitThatFailsIsNoHangingOne) {
  observer_.observe(Ready{});
  clock_.sleep(Milliseconds(60'000));
  const Error error{ErrorKind::retry_later, "database is locked"};
  observer_.observe(Retrying{error, Milliseconds(50)});
  EXPECT_THAT(reasons_now(), ElementsAre("database is locked"));
  observer_.observe(Recovered{});
  EXPECT_THAT(reasons_now(), IsEmpty());
}

}  // namespace
}  // namespace dwell
