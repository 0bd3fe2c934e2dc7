#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"

namespace dwell {

enum class Packing { none, gzip, zstd };

std::string_view name(Packing packing);
std::string_view packed_by(Packing packing);  // for "is ..."

// Unpacks a file in pieces; several packed parts one after the other are one text. Keeps a window
// of 32 KiB (gzip) or at most 128 MiB (zstd). Not thread-safe.
class Unpacker {
 public:
  struct Step {
    std::size_t taken = 0;  // bytes of `in`
    std::size_t given = 0;  // bytes written to `out`
  };

  virtual ~Unpacker() = default;

  // Takes from `in` and writes to `out` what it can. Neither is empty. A step that takes and gives
  // nothing has come to the end: what is left of `in` does not belong to the packed text. Errors:
  // fatal (damaged; the message says how, for the end of a sentence).
  virtual Result<Step> unpack(std::string_view in, std::span<char> out) = 0;

  // Whether the packed text may end here.
  virtual bool is_whole() const = 0;
};

std::unique_ptr<Unpacker> make_unpacker(Packing packing);

}  // namespace dwell
