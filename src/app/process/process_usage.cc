#include "app/process/process_usage.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

namespace dwell {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

void add(std::vector<MetricFamily>& all, const char* name, const char* help, MetricType type,
         double value) {
  prometheus::ClientMetric metric;
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  all.push_back({name, help, type, {metric}});
}

// The fields of /proc/self/stat behind the name of the command, see proc(5): the first is the
// state, the third field of all.
std::vector<std::string> stat_fields() {
  std::ifstream file("/proc/self/stat");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto end = text.rfind(')');
  if (end == std::string::npos) return {};
  std::istringstream rest(text.substr(end + 1));
  return {std::istream_iterator<std::string>(rest), {}};
}

constexpr std::size_t kThreads = 20 - 3, kStarted = 22 - 3, kVirtual = 23 - 3, kResident = 24 - 3;

double number(const std::string& text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Seconds since 1970 when the machine began.
std::optional<double> boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("btime ")) return number(line.substr(6));
  }
  return {};
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

std::vector<MetricFamily> process_usage() {
  std::vector<MetricFamily> all;
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    add(all, "process_cpu_seconds_total", "Processor time of this process", MetricType::Counter,
        seconds(usage.ru_utime) + seconds(usage.ru_stime));
  }
  if (const auto fields = stat_fields(); fields.size() > kResident) {
    add(all, "process_virtual_memory_bytes", "Address space of this process", MetricType::Gauge,
        number(fields[kVirtual]));
    add(all, "process_resident_memory_bytes", "Memory of this process", MetricType::Gauge,
        number(fields[kResident]) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
    add(all, "process_threads", "Threads of this process", MetricType::Gauge,
        number(fields[kThreads]));
    if (const auto boot = boot_time()) {
      add(all, "process_start_time_seconds", "When this process began, in seconds since 1970",
          MetricType::Gauge,
          *boot + number(fields[kStarted]) / static_cast<double>(::sysconf(_SC_CLK_TCK)));
    }
  }
  std::error_code error;
  double open = 0;
  for (std::filesystem::directory_iterator one("/proc/self/fd", error), end; !error && one != end;
       one.increment(error)) {
    ++open;
  }
  if (!error) {
    add(all, "process_open_fds", "File descriptors that are open", MetricType::Gauge, open);
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    add(all, "process_max_fds", "File descriptors that may be open", MetricType::Gauge,
        static_cast<double>(limit.rlim_cur));
  }
  return all;
}

}  // namespace dwell
