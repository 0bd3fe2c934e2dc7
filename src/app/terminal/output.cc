#include "app/terminal/output.h"

#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace dwell {

Result<void> print(std::string_view text) {
  const bool is_written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
                          std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (!is_written) {
    const int code = errno;
    return fail(ErrorKind::fatal, "standard output cannot be written: {}{}", std::strerror(code),
                code == EFBIG ? "; raise the limit of file sizes (ulimit -f)" : "");
  }
  return {};
}

void tell(std::string_view text) {
  (void)std::fwrite(text.data(), 1, text.size(), stderr);
}

Result<void> print_document(const boost::json::value& value) {
  return print(boost::json::serialize(value) + '\n');
}

}  // namespace dwell
