#include "tests/sim/world.h"

#include "tests/fakes/memory_report.h"
#include "tests/fakes/memory_row_reader.h"
#include "tests/fakes/one_partition.h"

namespace dwell {

Result<void> World::run_process() {
  auto committer = MemoryCommitter::open(store, rule.order);
  if (!committer) return pass(committer);
  PipelineOptions options;
  options.rule = rule;
  Pipeline pipeline(**committer, clock, observer, options);
  if (auto restored = pipeline.restore(); !restored) return restored;
  ScriptedSource source(script, batch_sizes);
  prepare_source(source);
  return pipeline.run(source, {});
}

std::size_t World::run_to_the_end() {
  std::size_t processes = 1;
  while (!run_process() && processes < 100) ++processes;
  return processes;
}

Lines World::contents() {
  MemoryStore copy = store;
  copy.is_open = false;
  copy.restores.clear();
  auto committer = MemoryCommitter::open(copy, rule.order);
  if (!committer) return {committer.error().message};
  Fold fold(rule, 3);
  const auto positions = restore_one(**committer, fold);
  if (!positions) return {positions.error().message};
  Lines lines = lines_of(fold, *positions);
  MemoryRowReader reader(copy);
  MemoryReport report(copy);
  const Lines more = lines_of(reader, report, devices_of(fold));
  lines.insert(lines.end(), more.begin(), more.end());
  return lines;
}

Lines undisturbed(const Rule& rule, const std::vector<std::size_t>& batch_sizes) {
  World world;
  world.rule = rule;
  world.batch_sizes = batch_sizes;
  if (auto ran = world.run_process(); !ran) return {ran.error().message};
  return world.contents();
}

}  // namespace dwell
