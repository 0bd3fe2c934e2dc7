// bench_accepted_rows INPUT OUTPUT BATCH: folds the events of INPUT (NDJSON) in batches of BATCH
// records and writes the accepted ones to OUTPUT, as accepted_rows.h says.

#include "accepted_rows.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/check.h"
#include "core/fold.h"
#include "records.h"

namespace {

std::uint32_t mean_state_bytes(const dwell::Fold& fold, const dwell::Unit& unit) {
  std::string states;
  for (const dwell::DeviceIndex device : unit.touched) fold.encode_state(device, states);
  return unit.touched.empty() ? 0 : static_cast<std::uint32_t>(states.size() / unit.touched.size());
}

row row_of(const dwell::Fold& fold, const dwell::CleanedRecord& cleaned) {
  row row{};
  row.timestamp = dwell::to_ms(cleaned.change.timestamp);
  row.seq = cleaned.change.seq;
  row.device = cleaned.device;
  row.type = static_cast<std::uint32_t>(cleaned.change.type);
  const std::string_view id = fold.device_id(cleaned.device);
  CHECK(id.size() <= LONGEST_NAME);
  std::memcpy(row.name, id.data(), id.size());
  return row;
}

void put(std::FILE* output, const void* bytes, std::size_t size) {
  CHECK(std::fwrite(bytes, size, 1, output) == 1);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::fprintf(stderr, "usage: bench_accepted_rows INPUT OUTPUT BATCH\n");
    return 2;
  }
  const std::string content = bench::read_file(arguments[1]);
  const auto records = bench::split(content);
  const auto batch = static_cast<std::size_t>(std::atoll(arguments[3]));
  std::FILE* const output = std::fopen(arguments[2], "wb");
  CHECK(output && batch > 0);

  dwell::Fold fold(dwell::Rule{}, 7);
  for (std::size_t start = 0; start < records.size(); start += batch) {
    const auto size = std::min(batch, records.size() - start);
    const dwell::Unit& unit = fold.fold(std::span(records).subspan(start, size), {});
    const bool is_last = start + size == records.size();
    const auto position =
        is_last ? static_cast<dwell::Offset>(content.size()) : records[start + size].offset;
    const batch_head head{static_cast<std::uint32_t>(unit.changes.size()),
                          mean_state_bytes(fold, unit), static_cast<std::uint64_t>(position)};
    put(output, &head, sizeof(head));
    for (const dwell::CleanedRecord& cleaned : unit.changes) {
      const row row = row_of(fold, cleaned);
      put(output, &row, sizeof(row));
    }
  }
  CHECK(std::fclose(output) == 0);
}
