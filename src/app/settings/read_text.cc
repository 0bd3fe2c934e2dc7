#include "app/settings/read_text.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace dwell {
namespace {

constexpr int kPatienceMs = 5'000;  // for the next bytes of a stream

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }

 private:
  int number_;
};

}  // namespace

Result<std::string> read_text(const std::string& path, std::size_t most) {
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorKind::invalid, "{}: {}", path, why);
  };
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (file.get() < 0) return refuse(fmt::format("cannot be read: {}", std::strerror(errno)));
  std::string text;
  std::array<char, 65'536> piece;
  for (;;) {
    pollfd ready{file.get(), POLLIN, 0};
    const int count = ::poll(&ready, 1, kPatienceMs);
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) {
      return refuse(
          fmt::format("nothing came within {} s; name a file, or a stream that somebody "
                      "writes to its end",
                      kPatienceMs / 1'000));
    }
    const auto n = ::read(file.get(), piece.data(), piece.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return refuse(fmt::format("cannot be read: {}", std::strerror(errno)));
    if (n == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(n));
    if (text.find('\0', text.size() - static_cast<std::size_t>(n)) != text.npos) {
      return refuse("holds NUL bytes, as no text does; name a TOML file");
    }
    if (text.size() > most) {
      return refuse(fmt::format("is larger than {} MiB; name a TOML file", most >> 20));
    }
  }
}

}  // namespace dwell
