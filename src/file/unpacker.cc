#include "file/unpacker.h"

#include <algorithm>
#include <cstdint>
#include <zlib.h>
#include <zstd.h>

#include "base/check.h"

namespace dwell {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;
constexpr unsigned char kGzipMagic[] = {0x1f, 0x8b};

class GzipUnpacker final : public Unpacker {
 public:
  GzipUnpacker() { CHECK(inflateInit2(&stream_, kGzipOnly) == Z_OK); }
  ~GzipUnpacker() override { inflateEnd(&stream_); }
  GzipUnpacker(const GzipUnpacker&) = delete;
  GzipUnpacker& operator=(const GzipUnpacker&) = delete;

  Result<Step> unpack(std::string_view in, std::span<char> out) override {
    if (is_over_) return Step{};
    std::size_t of_magic = 0;
    if (is_between_) {
      // Behind a member: another one, or what does not belong to it.
      for (; of_magic < in.size() && magic_seen_ < sizeof(kGzipMagic); ++of_magic, ++magic_seen_) {
        if (static_cast<unsigned char>(in[of_magic]) == kGzipMagic[magic_seen_]) continue;
        is_over_ = true;
        return Step{};
      }
      if (magic_seen_ < sizeof(kGzipMagic)) return Step{of_magic, 0};
      CHECK(inflateReset(&stream_) == Z_OK);
      is_between_ = false;
      Bytef magic[sizeof(kGzipMagic)] = {kGzipMagic[0], kGzipMagic[1]};
      stream_.next_in = magic;
      stream_.avail_in = sizeof(magic);
      if (auto fed = step(out); !fed) return pass(fed);
      if (of_magic == in.size()) return Step{of_magic, 0};
      in.remove_prefix(of_magic);
    }
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(std::min<std::size_t>(in.size(), UINT32_MAX));
    const auto offered = stream_.avail_in;
    auto given = step(out);
    if (!given) return pass(given);
    return Step{of_magic + (offered - stream_.avail_in), *given};
  }

  bool is_whole() const override { return is_between_ && (magic_seen_ == 0 || is_over_); }

 private:
  Result<std::size_t> step(std::span<char> out) {
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(out.size(), UINT32_MAX));
    const auto room = stream_.avail_out;
    const int status = inflate(&stream_, Z_NO_FLUSH);
    if (status == Z_STREAM_END) {
      is_between_ = true;
      magic_seen_ = 0;
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      return fail(ErrorKind::fatal, "{}", stream_.msg ? stream_.msg : "no memory");
    }
    return static_cast<std::size_t>(room - stream_.avail_out);
  }

  z_stream stream_{};
  bool is_between_ = false;  // members
  bool is_over_ = false;     // something else came
  std::size_t magic_seen_ = 0;
};

class ZstdUnpacker final : public Unpacker {
 public:
  ZstdUnpacker() : stream_(ZSTD_createDStream()) { CHECK(stream_ != nullptr); }
  ~ZstdUnpacker() override { ZSTD_freeDStream(stream_); }
  ZstdUnpacker(const ZstdUnpacker&) = delete;
  ZstdUnpacker& operator=(const ZstdUnpacker&) = delete;

  Result<Step> unpack(std::string_view in, std::span<char> out) override {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const auto status = ZSTD_decompressStream(stream_, &to, &from);
    if (ZSTD_isError(status)) return fail(ErrorKind::fatal, "{}", ZSTD_getErrorName(status));
    is_whole_ = status == 0;
    return Step{from.pos, to.pos};
  }

  bool is_whole() const override { return is_whole_; }

 private:
  ZSTD_DStream* stream_;
  bool is_whole_ = false;
};

}  // namespace

std::string_view name(Packing packing) {
  switch (packing) {
    case Packing::none:
      return "plain";
    case Packing::gzip:
      return "gzip";
    case Packing::zstd:
      return "zstd";
  }
  return "";
}

std::string_view packed_by(Packing packing) {
  return packing == Packing::gzip ? "packed by gzip" : "packed by zstd";
}

std::unique_ptr<Unpacker> make_unpacker(Packing packing) {
  CHECK(packing != Packing::none);
  if (packing == Packing::gzip) return std::make_unique<GzipUnpacker>();
  return std::make_unique<ZstdUnpacker>();
}

}  // namespace dwell
