#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "app/process/health_board.h"
#include "app/process/metrics.h"
#include "ports/observer.h"

namespace dwell {

// Tells several, in order: the log last, so that who reads it finds the rest done. Borrows all.
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

// Logs what happens now and then: partitions that are ready, a trouble once, and its end.
class LogObserver final : public Observer {
 public:
  void observe(const Observation& observation) override;

 private:
  bool is_well_ = true;
};

// Counts batches, records and what one task holds, until it ends.
class MetricsObserver final : public Observer {
 public:
  MetricsObserver(Metrics& metrics, std::string task) : metrics_(metrics), task_(std::move(task)) {}
  ~MetricsObserver() override { hold(0, 0); }

  void observe(const Observation& observation) override;

 private:
  void committed(const Committed& committed);
  void hold(std::size_t partitions, std::size_t devices);

  Metrics& metrics_;
  std::string task_;
  std::pair<std::size_t, std::size_t> held_;  // partitions, devices
};

// Shows how far the reader of a topic is behind, until it ends.
class LagObserver final : public Observer {
 public:
  LagObserver(Metrics& metrics, std::string topic) : metrics_(metrics), topic_(std::move(topic)) {}
  ~LagObserver() override { show({}); }

  void observe(const Observation& observation) override;

 private:
  void show(std::span<const PartitionLag> lags);

  Metrics& metrics_;
  std::string topic_;
  std::set<PartitionId> shown_;
};

}  // namespace dwell
