#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <zlib.h>

namespace dwell {

// Compresses a stream piece by piece (RFC 1952).
class Gzip {
 public:
  Gzip();

  // Appends what is ready of the compressed form to `out`; with `is_last` all of it.
  void add(std::string_view piece, bool is_last, std::string& out);

 private:
  struct End {
    void operator()(z_stream* stream) const {
      deflateEnd(stream);
      delete stream;
    }
  };
  std::unique_ptr<z_stream, End> stream_;
};

}  // namespace dwell
