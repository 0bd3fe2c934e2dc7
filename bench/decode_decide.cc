// bench_decode_decide FILE [ROUNDS]: how fast one core turns records into decisions, against a
// simdjson on-demand parse of the same records alone. FILE is NDJSON; its lines are held in memory
// and handed over one record at a time, as Kafka delivers them.
//
// Both sides take turns, a whole pass each, and the ratio is the median over the rounds. A pass is
// timed in CPU seconds of this thread, so that neighbours on the machine disturb it less.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <simdjson.h>
#include <string>
#include <string_view>
#include <vector>

#include "core/fold.h"
#include "records.h"

namespace {

constexpr std::size_t kBatch = 10'000;  // records a fold; 845 kB, so a batch stays in the L2 cache

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// What a pass found, so that neither side can skip its work.
struct Found {
  unsigned long long good = 0;
  unsigned long long sum = 0;
};

// In place, as that is faster for it than a copy to a padded buffer: what is held in memory here is
// followed by readable bytes, which simdjson asks for and a broker's records do not promise.
Found parse_alone(std::span<const dwell::Record> records) {
  Found found;
  simdjson::ondemand::parser parser;
  for (const dwell::Record& record : records) {
    const simdjson::padded_string_view bytes(record.bytes,
                                             record.bytes.size() + simdjson::SIMDJSON_PADDING);
    simdjson::ondemand::document document;
    simdjson::ondemand::object object;
    std::string_view device, type;
    std::int64_t timestamp;
    if (parser.iterate(bytes).get(document) || document.get_object().get(object) ||
        object["device_id"].get(device) || object["event_type"].get(type) ||
        object["timestamp"].get(timestamp)) {
      continue;
    }
    ++found.good;
    found.sum += device.size() + type.size() + static_cast<unsigned long long>(timestamp);
  }
  return found;
}

Found decode_and_decide(std::span<const dwell::Record> records) {
  Found found;
  dwell::Fold fold(dwell::Rule{}, 7);
  for (std::size_t start = 0; start < records.size(); start += kBatch) {
    const auto batch = records.subspan(start, std::min(kBatch, records.size() - start));
    const dwell::Unit& unit = fold.fold(batch, {});
    found.sum += unit.changes.size() + unit.touched.size();
  }
  found.good = fold.totals()[dwell::Outcome::accepted];
  return found;
}

template <typename Pass>
double rate_of(Pass pass, std::span<const dwell::Record> records, Found& found) {
  const double start = cpu_seconds();
  found = pass(records);
  return static_cast<double>(records.size()) / (cpu_seconds() - start);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: bench_decode_decide FILE [ROUNDS]\n");
    return 2;
  }
  const int rounds = count > 2 ? std::atoi(arguments[2]) : 7;
  std::string content = bench::read_file(arguments[1]);
  content.reserve(content.size() + simdjson::SIMDJSON_PADDING);
  const auto records = bench::split(content);

  std::vector<double> parse_rates, dwell_rates, ratios;
  Found parsed, decided;
  for (int round = 0; round < rounds; ++round) {
    parse_rates.push_back(rate_of(parse_alone, records, parsed));
    dwell_rates.push_back(rate_of(decode_and_decide, records, decided));
    ratios.push_back(dwell_rates.back() / parse_rates.back());
  }
  std::printf(
      R"({"ratio": %.3f, "low": %.3f, "high": %.3f, "parse_rate": %.0f, "dwell_rate": %.0f, )"
      R"("records": %zu, "bytes": %zu, "accepted": %llu, "parsed": %llu, "checksum": %llu, )"
      R"("simdjson": "%d.%d.%d %s"})"
      "\n",
      median(ratios), *std::min_element(ratios.begin(), ratios.end()),
      *std::max_element(ratios.begin(), ratios.end()), median(parse_rates), median(dwell_rates),
      records.size(), content.size(), decided.good, parsed.good, parsed.sum ^ decided.sum,
      simdjson::SIMDJSON_VERSION_MAJOR, simdjson::SIMDJSON_VERSION_MINOR,
      simdjson::SIMDJSON_VERSION_REVISION, simdjson::get_active_implementation()->name().c_str());
}
