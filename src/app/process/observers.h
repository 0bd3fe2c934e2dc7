#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/process/health_board.h"
#include "app/process/late_notes.h"
#include "app/process/metrics.h"
#include "core/reject_reason.h"
#include "kafka/client/client.h"
#include "ports/clock.h"
#include "ports/observer.h"

namespace dwell {

// Tells several, in order: the board behind what it vouches for, and the log last, so that who
// reads it finds the rest done. Borrows all.
class Observers final : public Observer {
 public:
  explicit Observers(std::vector<Observer*> observers) : observers_(std::move(observers)) {}

  void observe(const Observation& observation) override {
    for (Observer* observer : observers_) observer->observe(observation);
  }

 private:
  std::vector<Observer*> observers_;
};

// Keeps the line of one task on the board.
class HealthObserver final : public Observer {
 public:
  HealthObserver(HealthBoard& board, std::string task) : board_(board), task_(std::move(task)) {}

  void observe(const Observation& observation) override;

 private:
  HealthBoard& board_;
  std::string task_;
  bool has_joined_ = false;
};

// Logs what happens now and then: partitions that are ready, a trouble once, and its end. At debug
// also the partitions that come and go, and each commit. `task` is empty where there is one.
class LogObserver final : public Observer {
 public:
  explicit LogObserver(const std::string& task) : task_(task.empty() ? "" : task + ": ") {}

  void observe(const Observation& observation) override;

 private:
  std::string task_;  // in front of lines
  bool is_well_ = true;
};

// Logs what could not be used or came late, in one summary: the first at once, then at most one a
// minute.
class SummaryObserver final : public Observer {
 public:
  SummaryObserver(const Rule& rule, Clock& clock) : rule_(rule), reasons_(rule), clock_(clock) {}

  void observe(const Observation& observation) override;

 private:
  void add(const Partition& partition, std::span<const std::uint32_t> known_late);
  void tell();

  Rule rule_;
  RejectReasons reasons_;
  Clock& clock_;
  std::optional<std::chrono::nanoseconds> told_;  // when, if ever
  // Since then:
  std::map<std::string_view, std::uint64_t> rejected_;  // by reason
  std::string first_;                                   // rejected one, in words
  LateNotes late_notes_;
};

// Counts what one member of a stage does, and what it holds until it ends.
class MetricsObserver final : public Observer {
 public:
  MetricsObserver(Metrics& metrics, StageName stage, Clock& clock)
      : metrics_(metrics.stage(stage)), clock_(clock) {}
  ~MetricsObserver() override { hold({}); }

  void observe(const Observation& observation) override;

 private:
  struct Held {
    double partitions = 0;
    double devices = 0;
    double state_bytes = 0;
  };

  void committed(const Committed& committed);
  void hold(const Held& held);

  StageMetrics& metrics_;
  Clock& clock_;
  Held held_;
};

// Counts how many records of a topic's partitions are not committed yet, whenever metrics are asked
// for, until it ends: also while a commit hangs. A stage that gets nothing on for `stalled_after`
// while they become more is not ready.
class LagObserver final : public Observer {
 public:
  struct Stage {
    std::string task;
    std::string topic;
    Milliseconds stalled_after;
  };
  // Borrows all but the stage; the client is that of the reader.
  LagObserver(Metrics& metrics, HealthBoard& board, Clock& clock, const KafkaClient& client,
              Stage stage);
  ~LagObserver() override;
  LagObserver(const LagObserver&) = delete;
  LagObserver& operator=(const LagObserver&) = delete;

  void observe(const Observation& observation) override;

 private:
  std::vector<Metrics::Lag> lags();
  std::vector<Metrics::Lag> lags_now(Timestamp now) const;  // as if nothing had waited before
  std::int64_t waiting_now() const;
  std::vector<std::string> stalled();

  Metrics& metrics_;
  HealthBoard& board_;
  Clock& clock_;
  const KafkaClient& client_;
  const Stage stage_;
  std::mutex mutex_;                      // for what follows, up to the numbers
  std::map<PartitionId, Timestamp> met_;  // when a partition had nothing waiting, or was met first
  std::vector<PartitionNext> durable_;
  std::vector<PartitionNext> pending_;  // the same once what was handed over is durable, too
  std::chrono::nanoseconds moved_at_;   // when something became durable, or the stage began
  std::int64_t waited_then_ = 0;        // records
  std::size_t number_;                  // by which the metrics know it
  std::size_t check_;                   // by which the board does
};

}  // namespace dwell
