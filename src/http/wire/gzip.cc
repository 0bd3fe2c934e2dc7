#include "http/wire/gzip.h"

#include <array>

#include "base/check.h"

namespace dwell {

Gzip::Gzip() : stream_(new z_stream{}) {
  constexpr int kLevel = 1;  // a timeline compresses twentyfold already here
  constexpr int kGzipWindow = 15 + 16;
  CHECK(deflateInit2(stream_.get(), kLevel, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) ==
        Z_OK);
}

void Gzip::add(std::string_view piece, bool is_last, std::string& out) {
  std::array<char, 16 * 1024> buffer;
  stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
  stream_->avail_in = static_cast<uInt>(piece.size());
  do {
    stream_->next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_->avail_out = static_cast<uInt>(buffer.size());
    const int code = deflate(stream_.get(), is_last ? Z_FINISH : Z_NO_FLUSH);
    CHECK(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR);
    out.append(buffer.data(), buffer.size() - stream_->avail_out);
  } while (stream_->avail_out == 0);
}

}  // namespace dwell
