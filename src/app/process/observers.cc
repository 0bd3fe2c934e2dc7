#include "app/process/observers.h"

#include <algorithm>
#include <spdlog/spdlog.h>

#include "app/settings/units.h"
#include "base/printable.h"

namespace dwell {
namespace {

constexpr std::chrono::minutes kSummaryEvery{1};

std::uint64_t records_of(const Committed& committed) {
  std::uint64_t records = committed.changes + committed.not_cleaned;
  for (const Partition& partition : committed.folds) {
    if (partition.unit) records += partition.unit->records.size();
  }
  return records;
}

}  // namespace

void HealthObserver::observe(const Observation& observation) {
  if (const auto* gained = std::get_if<Gained>(&observation)) {
    board_.set(task_, fmt::format("restoring {} partitions", gained->partitions.size()));
  } else if (const auto* committed = std::get_if<Committed>(&observation)) {
    for (const Partition& partition : committed->folds) {
      board_.tell_miskeyed(partition);
    }
    if (committed->has_joined && !std::exchange(has_joined_, true)) board_.set(task_, "");
  } else if (const auto* retrying = std::get_if<Retrying>(&observation)) {
    board_.set(task_, retrying->error.message);
  } else if (std::holds_alternative<Ready>(observation) ||
             std::holds_alternative<Recovered>(observation) ||
             std::holds_alternative<WentBack>(observation)) {
    board_.set(task_, "");
  }
}

void LogObserver::observe(const Observation& observation) {
  if (const auto* gained = std::get_if<Gained>(&observation)) {
    spdlog::debug("{}gained partitions {}", task_, fmt::join(gained->partitions, ", "));
  } else if (const auto* lost = std::get_if<Lost>(&observation)) {
    spdlog::debug("{}gave up partitions {}{}", task_, fmt::join(lost->partitions, ", "),
                  lost->were_taken ? ", which the group had taken" : "");
  } else if (const auto* committed = std::get_if<Committed>(&observation)) {
    if (committed->has_batch) {
      spdlog::debug("{}committed {} records in {:.1f} ms", task_, records_of(*committed),
                    std::chrono::duration<double, std::milli>(committed->took).count());
    }
  } else if (const auto* ready = std::get_if<Ready>(&observation)) {
    for (const Partition& partition : ready->folds) {
      spdlog::info("partition {}: ready at offset {} with {} devices", partition.id,
                   partition.positions.empty() ? 0 : partition.positions[0].next,
                   partition.fold.device_count());
    }
    is_well_ = true;
  } else if (const auto* retrying = std::get_if<Retrying>(&observation)) {
    if (!std::exchange(is_well_, false)) return;
    spdlog::warn("{}; trying again every {}", retrying->error.message,
                 format_duration(retrying->wait));
  } else if (std::holds_alternative<Recovered>(observation)) {
    if (!std::exchange(is_well_, true)) spdlog::info("committing again");
  } else if (const auto* back = std::get_if<WentBack>(&observation)) {
    spdlog::warn("{}; went back to the last commit", back->cause.message);
    is_well_ = true;
  }
}

void SummaryObserver::observe(const Observation& observation) {
  if (const auto* committed = std::get_if<Committed>(&observation)) {
    for (const Partition& partition : committed->folds) add(partition, committed->known_late);
    if (committed->not_cleaned > 0) rejected_["not_cleaned"] += committed->not_cleaned;
  } else if (!std::holds_alternative<Polling>(observation)) {
    return;
  }
  if (rejected_.empty() && late_notes_.empty()) return;
  const auto now = clock_.monotonic();
  if (told_ && now - *told_ < kSummaryEvery) return;
  told_ = now;
  tell();
}

void SummaryObserver::add(const Partition& partition, std::span<const std::uint32_t> known_late) {
  const Unit* unit = partition.unit;
  if (!unit) return;
  late_notes_.add(partition, known_late);
  for (const std::uint32_t i : unit->rejected) {
    const Outcome outcome = unit->outcomes[i];
    if (outcome == Outcome::too_late && std::binary_search(known_late.begin(), known_late.end(), i))
      continue;
    ++rejected_[name(outcome)];
    if (!first_.empty()) continue;
    const Record& record = unit->records[i];
    first_ = fmt::format("the first, at {} of {}, {}: {}", record.offset,
                         printable(unit->positions[record.source].source), name(outcome),
                         reasons_.explain(record, outcome));
  }
}

void SummaryObserver::tell() {
  if (!rejected_.empty()) {
    std::string counts;
    for (const auto& [reason, count] : rejected_) {
      counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, reason);
    }
    spdlog::warn("rejected {}{}{}", counts, first_.empty() ? "" : "; ", first_);
  }
  for (const auto& line : late_notes_.lines(rule_)) spdlog::warn("{}", line);
  rejected_.clear();
  first_.clear();
  late_notes_ = {};
}

void MetricsObserver::observe(const Observation& observation) {
  if (const auto* ready = std::get_if<Ready>(&observation)) {
    hold({static_cast<double>(ready->partitions), static_cast<double>(ready->devices),
          static_cast<double>(ready->state_bytes)});
    metrics_.restored(ready->took);
  } else if (const auto* done = std::get_if<Committed>(&observation)) {
    committed(*done);
  } else if (const auto* failed = std::get_if<CommitFailed>(&observation)) {
    metrics_.commit_failed(failed->error.kind);
  } else if (std::holds_alternative<WentBack>(observation)) {
    metrics_.went_back();
  } else if (std::holds_alternative<Gained>(observation) ||
             std::holds_alternative<Lost>(observation)) {
    metrics_.rebalanced();
  }
}

void MetricsObserver::committed(const Committed& committed) {
  hold({static_cast<double>(committed.partitions), static_cast<double>(committed.devices),
        static_cast<double>(committed.state_bytes)});
  metrics_.kept(committed.kept);
  if (!committed.has_batch) return;
  metrics_.commit_took(committed.took);
  const Timestamp now = clock_.wall();
  for (const Partition& partition : committed.folds) {
    if (partition.unit) metrics_.committed(*partition.unit, now);
  }
  if (!committed.folds.empty()) return;
  metrics_.stored(committed.changes, committed.not_cleaned);
  metrics_.stored_rows(committed.rows, committed.row_times, now);
}

void MetricsObserver::hold(const Held& held) {
  const Held before = std::exchange(held_, held);
  metrics_.hold(held.partitions - before.partitions, held.devices - before.devices,
                held.state_bytes - before.state_bytes);
}

LagObserver::LagObserver(Metrics& metrics, HealthBoard& board, Clock& clock,
                         const KafkaClient& client, Stage stage)
    : metrics_(metrics),
      board_(board),
      clock_(clock),
      client_(client),
      stage_(std::move(stage)),
      moved_at_(clock.monotonic()),
      number_(metrics.add_lags([this] { return lags(); })),
      check_(board.add_check([this] { return stalled(); })) {}

LagObserver::~LagObserver() {
  board_.remove_check(check_);
  metrics_.remove_lags(number_);
}

// A batch that was handed over is durable when nothing is pending, or the next one is.
void LagObserver::observe(const Observation& observation) {
  const auto* committed = std::get_if<Committed>(&observation);
  if (!committed || !committed->has_joined) return;
  const std::lock_guard lock(mutex_);
  const auto is_same = [](const PartitionNext& a, const PartitionNext& b) {
    return a.partition == b.partition && a.next == b.next;
  };
  const bool is_still_pending =
      committed->is_pending &&
      std::equal(pending_.begin(), pending_.end(), committed->nexts.begin(), committed->nexts.end(),
                 is_same);
  if (is_still_pending) return;
  const auto before = durable_;
  durable_ = std::move(pending_);
  pending_.assign(committed->nexts.begin(), committed->nexts.end());
  if (!committed->is_pending) durable_ = pending_;
  if (std::equal(before.begin(), before.end(), durable_.begin(), durable_.end(), is_same)) return;
  moved_at_ = clock_.monotonic();
  waited_then_ = waiting_now();
}

// A partition where nothing waits is up to date, however long ago its last record came.
std::vector<Metrics::Lag> LagObserver::lags() {
  const Timestamp now = clock_.wall();
  const std::lock_guard lock(mutex_);
  auto lags = lags_now(now);
  for (Metrics::Lag& lag : lags) {
    const auto met = met_.try_emplace(lag.partition, now).first;
    if (lag.records == 0) met->second = now;
    const std::chrono::duration<double> since_met = now - met->second;
    lag.seconds = std::max(0.0, std::min(lag.seconds, since_met.count()));
  }
  return lags;
}

std::vector<Metrics::Lag> LagObserver::lags_now(Timestamp now) const {
  std::vector<Metrics::Lag> lags;
  for (const auto& [partition, next, last] : durable_) {
    const auto end = client_.end_of(stage_.topic, partition);
    if (!end) continue;
    lags.push_back({stage_.topic, partition, std::max<std::int64_t>(0, *end - next),
                    std::chrono::duration<double>(now - last).count()});
  }
  return lags;
}

std::int64_t LagObserver::waiting_now() const {
  std::int64_t all = 0;
  for (const Metrics::Lag& lag : lags_now({})) all += lag.records;
  return all;
}

std::vector<std::string> LagObserver::stalled() {
  const std::lock_guard lock(mutex_);
  const auto since =
      std::chrono::duration_cast<std::chrono::seconds>(clock_.monotonic() - moved_at_);
  if (since < stage_.stalled_after) return {};
  // The end of a transaction counts as a record of its partition, and is never read.
  const auto ends = static_cast<std::int64_t>(durable_.size());
  const std::int64_t waiting = waiting_now();
  if (waiting <= waited_then_ + ends) return {};
  return {
      fmt::format("{}: nothing of topic {} was committed for {} s, and {} records wait "
                  "(ready.stalled_after)",
                  stage_.task, stage_.topic, since.count(), waiting)};
}

}  // namespace dwell
