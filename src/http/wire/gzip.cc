#include "http/wire/gzip.h"

#include <array>
#include <new>

#include "base/check.h"

namespace dwell {
namespace {

constexpr int kGzipWindow = 15 + 16;  // the largest, with the head and end of gzip

}  // namespace

Gzip::Gzip() : stream_(new z_stream{}) {
  constexpr int kLevel = 1;  // a timeline compresses twentyfold already here
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

Gunzip::Gunzip(BodySink& sink, std::size_t most)
    : sink_(sink), rest_(most), stream_(new z_stream{}) {
  if (inflateInit2(stream_.get(), kGzipWindow) != Z_OK) throw std::bad_alloc();
}

void Gunzip::add(std::string_view piece) {
  stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
  stream_->avail_in = static_cast<uInt>(piece.size());
  if (state_ == State::ended && !piece.empty()) state_ = State::damaged;
  if (state_ == State::reading) state_ = unpack();
}

// What there is of the input.
Gunzip::State Gunzip::unpack() {
  std::array<char, 16 * 1024> buffer;
  do {
    stream_->next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_->avail_out = static_cast<uInt>(buffer.size());
    const int code = inflate(stream_.get(), Z_NO_FLUSH);
    if (code == Z_MEM_ERROR) throw std::bad_alloc();
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) return State::damaged;
    const std::size_t size = buffer.size() - stream_->avail_out;
    if (size > rest_) return State::too_large;
    rest_ -= size;
    sink_.add({buffer.data(), size});
    if (code == Z_STREAM_END) return stream_->avail_in == 0 ? State::ended : State::damaged;
  } while (stream_->avail_out == 0);
  return State::reading;
}

std::size_t Gunzip::memory() const {
  constexpr std::size_t kOfInflate = 48 << 10;  // its window and tables
  return kOfInflate + sink_.memory();
}

}  // namespace dwell
