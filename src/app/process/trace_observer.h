#pragma once

#include <string>

#include "ports/clock.h"
#include "ports/observer.h"
#include "telemetry/tracer.h"

namespace dwell {

// What a stage works on, in the words of OpenTelemetry's conventions for messaging.
struct TracedStage {
  std::string name;  // hop, clean, store
  std::string topic;
  std::string group;
  std::string client;
  std::string database = {};  // its host, where rows go to one
};

// Makes spans of what a stage does: of each record that belongs to a trace, of its batch and
// commit, of restores and of changes of partitions.
class TraceObserver final : public Observer {
 public:
  // Borrows the clock.
  TraceObserver(const Tracer& tracer, Clock& clock, TracedStage stage)
      : tracer_(tracer), clock_(clock), stage_(std::move(stage)) {}

  void observe(const Observation& observation) override;

 private:
  void committed(const Committed& committed);
  Span span(SpanKind kind, std::string name, std::chrono::nanoseconds took) const;
  void add_messaging(Span& span) const;
  void add_change(std::string name, std::chrono::nanoseconds since, std::size_t partitions);

  const Tracer tracer_;
  Clock& clock_;
  const TracedStage stage_;
  std::chrono::nanoseconds gained_at_{-1};  // negative: no change of partitions is under way
};

}  // namespace dwell
