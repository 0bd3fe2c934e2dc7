#include "app/process/service_observer.h"

#include <gmock/gmock.h>

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
  SlowCommitter(Clock& clock, Readiness& readiness) : clock_(clock), readiness_(readiness) {}

  Result<void> restore(std::span<Partition>) override {
    reasons = readiness_.health().not_ready_because;
    return {};
  }
  Result<void> commit(std::span<const Partition>) override {
    clock_.sleep(time);
    reasons = readiness_.health().not_ready_because;
    return {};
  }

  Milliseconds time{0};
  std::vector<std::string> reasons;

 private:
  Clock& clock_;
  Readiness& readiness_;
};

class NoQueue final : public Source {
 public:
  Result<Batch> poll() override { return Batch{{}, true}; }
  Result<void> seek(PartitionId, std::span<const Position>) override { return {}; }
};

class ServiceObserverTest : public testing::Test {
 protected:
  std::vector<std::string> reasons_now() const { return readiness_.health().not_ready_because; }

  FakeClock clock_;
  Readiness readiness_{clock_, "dwell.db"};
  IntakeQueue queue_{IntakeLimits(), clock_};
  ServiceObserver observer_{queue_, readiness_};
  SlowCommitter committer_{clock_, readiness_};
  Pipeline pipeline_{committer_, clock_, observer_, PipelineOptions()};
  NoQueue source_;
};

TEST_F(ServiceObserverTest, ACommitThatHangsIsToldWhileItHangs) {
  ASSERT_TRUE(pipeline_.restore());
  EXPECT_THAT(committer_.reasons, ElementsAre("restoring the committed state"));
  observer_.become_well();
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
    observer_.polling();  // as the next round does
    EXPECT_THAT(reasons_now(), IsEmpty());
  }
}

// A failing commit has its own reason, however long it is tried again.
TEST_F(ServiceObserverTest, ACommitThatFailsIsNoHangingOne) {
  observer_.become_well();
  clock_.sleep(Milliseconds(60'000));
  observer_.retrying({ErrorKind::retry_later, "database is locked"}, Milliseconds(50));
  EXPECT_THAT(reasons_now(), ElementsAre("database is locked"));
  observer_.recovered();
  EXPECT_THAT(reasons_now(), IsEmpty());
}

}  // namespace
}  // namespace dwell
