#include "app/commands/commands.h"
#include "app/terminal/output.h"

namespace dwell {

Result<void> generate(const GeneratorOptions& options) {
  constexpr std::size_t kFlushBytes = 1 << 20;
  Generator generator(options);
  std::string out;
  while (generator.next(out)) {
    if (out.size() < kFlushBytes) continue;
    if (auto printed = print(out); !printed) return printed;
    out.clear();
  }
  return print(out);
}

}  // namespace dwell
