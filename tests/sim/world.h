#pragma once

#include <functional>
#include <vector>

#include "pipeline/pipeline.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/memory_committer.h"
#include "tests/fakes/recording_observer.h"
#include "tests/fakes/scripted_source.h"
#include "tests/fakes/store_lines.h"

namespace dwell {

// A pipeline between fakes. The store, the clock and what the observer saw outlive the process;
// run_process() is one life of everything else.
struct World {
  Rule rule;
  Script script = mixed_script();
  std::vector<std::size_t> batch_sizes = {4};

  MemoryStore store;
  FakeClock clock;
  RecordingObserver observer;

  // Changes a source before it is used: what its faults are.
  std::function<void(ScriptedSource&)> prepare_source = [](ScriptedSource&) {};

  // Opens the store, restores, runs the script to its end or the first error that is returned, and
  // ends without a word to anybody, as a killed process does.
  Result<void> run_process();

  // Runs processes until one comes to the end; the number it took, at most 100.
  std::size_t run_to_the_end();

  // Everything in the store: states, positions, totals, rows, rejected records.
  Lines contents();
};

// What a world that nothing happened to holds in the end.
Lines undisturbed(const Rule& rule, const std::vector<std::size_t>& batch_sizes);

}  // namespace dwell
