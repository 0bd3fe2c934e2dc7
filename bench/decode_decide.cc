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
#include <fstream>
#include <iterator>
#include <simdjson.h>
#include <string>
#include <string_view>
#include <vector>

#include "core/fold.h"

namespace {

constexpr std::size_t kBatch = 10'000;  // records a fold; 845 kB, so a batch stays in the L2 cache

std::string read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "bench_decode_decide: cannot read %s\n", path);
    std::exit(1);
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<dwell::Record> split(std::string_view content) {
  std::vector<dwell::Record> records;
  for (std::size_t start = 0; start < content.size();) {
    const std::size_t end = std::min(content.find('\n', start), content.size());
    // As late as can be: no record lies in the future.
    records.push_back({content.substr(start, end - start), 0, static_cast<dwell::Offset>(start),
                       dwell::kLatest, 0});
    start = end + 1;
  }
  return records;
}

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// What a pass found, so that neither side can skip its work.
struct Found {
  std::uint64_t good = 0;
  std::uint64_t sum = 0;
};

Found parse_alone(std::span<const dwell::Record> records) {
  Found found;
  simdjson::ondemand::parser parser;
  std::vector<char> scratch(4096 + simdjson::SIMDJSON_PADDING);
  for (const dwell::Record& record : records) {
    // simdjson reads 64 bytes past the end. Copying measured no slower than parsing in place.
    if (record.bytes.size() > 4096) continue;
    std::memcpy(scratch.data(), record.bytes.data(), record.bytes.size());
    simdjson::ondemand::document document;
    simdjson::ondemand::object object;
    std::string_view device, type;
    std::int64_t timestamp;
    if (parser.iterate(scratch.data(), record.bytes.size(), scratch.size()).get(document) ||
        document.get_object().get(object) || object["device_id"].get(device) ||
        object["event_type"].get(type) || object["timestamp"].get(timestamp)) {
      continue;
    }
    ++found.good;
    found.sum += device.size() + type.size() + static_cast<std::uint64_t>(timestamp);
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
  const std::string content = read_file(arguments[1]);
  const auto records = split(content);

  std::vector<double> parse_rates, dwell_rates, ratios;
  Found parsed, decided;
  for (int round = 0; round < rounds; ++round) {
    parse_rates.push_back(rate_of(parse_alone, records, parsed));
    dwell_rates.push_back(rate_of(decode_and_decide, records, decided));
    ratios.push_back(dwell_rates.back() / parse_rates.back());
  }
  std::fprintf(stderr, "%zu records, %.1f bytes each, %.1f %% accepted; simdjson %d.%d.%d, %s\n",
               records.size(), static_cast<double>(content.size()) / records.size(),
               100.0 * decided.good / records.size(), simdjson::SIMDJSON_VERSION_MAJOR,
               simdjson::SIMDJSON_VERSION_MINOR, simdjson::SIMDJSON_VERSION_REVISION,
               simdjson::get_active_implementation()->name().c_str());
  std::fprintf(
      stderr, "parse alone %.2f M/s (%lu good, sum %lu), decode + decide %.2f M/s (sum %lu)\n",
      median(parse_rates) / 1e6, parsed.good, parsed.sum, median(dwell_rates) / 1e6, decided.sum);
  std::printf("%.3f %.3f %.3f\n", median(ratios), *std::min_element(ratios.begin(), ratios.end()),
              *std::max_element(ratios.begin(), ratios.end()));
}
