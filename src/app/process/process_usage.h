#pragma once

#include <prometheus/metric_family.h>
#include <vector>

namespace dwell {

// What the kernel tells of this process, by the names that Prometheus' client libraries share
// (prometheus.io/docs/instrumenting/writing_clientlibs, "Process metrics"). What cannot be read is
// left out.
std::vector<prometheus::MetricFamily> process_usage();

}  // namespace dwell
