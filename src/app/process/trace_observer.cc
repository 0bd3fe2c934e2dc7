#include "app/process/trace_observer.h"

#include <algorithm>

namespace dwell {
namespace {

constexpr std::uint8_t kSampled = 1;

}  // namespace

void TraceObserver::observe(const Observation& observation) {
  if (!tracer_.is_on()) return;
  if (const auto* done = std::get_if<Committed>(&observation)) {
    if (!done->traced.empty()) committed(*done);
  } else if (std::holds_alternative<Gained>(observation)) {
    gained_at_ = clock_.monotonic();
  } else if (const auto* ready = std::get_if<Ready>(&observation)) {
    if (gained_at_ >= std::chrono::nanoseconds(0)) {
      add_change("restore " + stage_.topic, gained_at_, ready->partitions);
    }
    gained_at_ = std::chrono::nanoseconds(-1);
  } else if (const auto* back = std::get_if<WentBack>(&observation)) {
    Span gone = span(SpanKind::internal, "go back " + stage_.topic, {});
    gone.error = back->cause.message;
    if (tracer_.takes_span()) tracer_.add(std::move(gone));
  }
}

// One span a record, in its own trace; the batch and its commit in a trace of theirs, since they
// belong to many. Links lead from each to the other.
void TraceObserver::committed(const Committed& done) {
  Span batch = span(SpanKind::consumer, "process " + stage_.topic, done.since_poll);
  add_messaging(batch);
  batch.attributes.emplace_back("messaging.batch.message_count",
                                static_cast<std::int64_t>(done.records));
  const auto links = std::min({done.traced.size(), tracer_.settings().most_links, kMostLinks});
  for (const TracedRecord& traced : done.traced.first(links)) {
    batch.links.push_back(traced.parent == TraceContext() ? traced.own : traced.parent);
  }
  if (links < done.traced.size()) {
    batch.attributes.emplace_back("dwell.links_dropped",
                                  static_cast<std::int64_t>(done.traced.size() - links));
  }
  Span commit = span(SpanKind::client, "commit " + stage_.topic, done.took);
  if (!stage_.database.empty()) {
    commit.name = "INSERT device_events_cleaned";
    commit.attributes = {{"db.system.name", std::string("postgresql")},
                         {"db.operation.name", std::string("INSERT")},
                         {"db.collection.name", std::string("device_events_cleaned")},
                         {"db.operation.batch.size", static_cast<std::int64_t>(done.changes)},
                         {"server.address", stage_.database}};
  } else {
    add_messaging(commit);
  }
  commit.context.trace = batch.context.trace;
  commit.parent = batch.context.span;
  for (const TracedRecord& traced : done.traced) {
    if (!tracer_.takes_span()) continue;
    Span record = span(SpanKind::consumer, batch.name, done.since_poll);
    record.context = traced.own;
    record.parent = traced.parent.span;
    record.links = {stage_.database.empty() ? batch.context : commit.context};
    add_messaging(record);
    record.attributes.emplace_back("messaging.destination.partition.id",
                                   std::to_string(traced.partition));
    record.attributes.emplace_back("messaging.kafka.offset", traced.offset);
    record.attributes.emplace_back("dwell.outcome", std::string(traced.outcome));
    if (!traced.device.empty()) record.attributes.emplace_back("dwell.device_id", traced.device);
    tracer_.add(std::move(record));
  }
  if (tracer_.takes_span()) tracer_.add(std::move(batch));
  if (tracer_.takes_span()) tracer_.add(std::move(commit));
}

void TraceObserver::add_change(std::string name, std::chrono::nanoseconds since,
                               std::size_t partitions) {
  if (!tracer_.takes_span()) return;
  Span change = span(SpanKind::internal, std::move(name), clock_.monotonic() - since);
  change.attributes = {{"dwell.stage", stage_.name},
                       {"dwell.partitions", static_cast<std::int64_t>(partitions)}};
  tracer_.add(std::move(change));
}

// A root that is over now.
Span TraceObserver::span(SpanKind kind, std::string name, std::chrono::nanoseconds took) const {
  Span span;
  span.context = {random_trace(), random_span(), kSampled};
  span.kind = kind;
  span.name = std::move(name);
  span.end = std::chrono::system_clock::now();
  span.start = span.end - took;
  return span;
}

void TraceObserver::add_messaging(Span& span) const {
  span.attributes.insert(span.attributes.end(),
                         {{"messaging.system", std::string("kafka")},
                          {"messaging.operation.name", std::string("process")},
                          {"messaging.operation.type", std::string("process")},
                          {"messaging.destination.name", stage_.topic},
                          {"messaging.consumer.group.name", stage_.group},
                          {"messaging.client.id", stage_.client}});
}

}  // namespace dwell
