#include "http/wire/gzip.h"

#include <gtest/gtest.h>
#include <vector>

namespace dwell {
namespace {

// The text of one whole gzip stream; "?" when it is not one.
std::string inflated(std::string compressed) {
  z_stream stream{};
  constexpr int kGzipWindow = 15 + 16;
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) return "?";
  stream.next_in = reinterpret_cast<Bytef*>(compressed.data());
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string out;
  int code = Z_OK;
  while (code == Z_OK) {
    std::vector<Bytef> buffer(10'000);
    stream.next_out = buffer.data();
    stream.avail_out = static_cast<uInt>(buffer.size());
    code = inflate(&stream, Z_NO_FLUSH);
    out.append(reinterpret_cast<char*>(buffer.data()), buffer.size() - stream.avail_out);
  }
  const bool is_whole = code == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  return is_whole ? out : "?";
}

// Bytes that hardly compress, so that output fills its buffers in every way.
std::string noise(std::size_t size) {
  std::string out;
  std::uint32_t state = 12'345;
  while (out.size() < size) {
    state = state * 1'664'525 + 1'013'904'223;
    out += static_cast<char>(state >> 24);
  }
  return out;
}

TEST(Gzip, ComesBackWhateverItsPieces) {
  for (const std::string& text :
       {std::string(), std::string("a"), std::string(100'000, 'x'), noise(100'000)}) {
    for (const std::size_t piece : {1'000u, 16'384u, 1'000'000u}) {
      Gzip gzip;
      std::string compressed;
      for (std::size_t i = 0; i < text.size(); i += piece) {
        gzip.add(std::string_view(text).substr(i, piece), false, compressed);
      }
      gzip.add("", true, compressed);
      EXPECT_EQ(inflated(compressed), text) << text.size() << " in " << piece;
    }
  }
}

TEST(Gzip, ComesBackInOnePieceOfAnySize) {
  const auto text = noise(40'000);
  for (std::size_t size = 0; size <= text.size(); size += 97) {
    std::string compressed;
    Gzip().add(text.substr(0, size), true, compressed);
    ASSERT_EQ(inflated(compressed), text.substr(0, size)) << size;
  }
}

TEST(Gzip, WithoutTheLastPieceItIsNotWhole) {
  Gzip gzip;
  std::string compressed;
  gzip.add("events", false, compressed);
  EXPECT_EQ(inflated(compressed), "?");
}

TEST(Gzip, MakesTextMuchSmaller) {
  std::string compressed;
  Gzip().add(std::string(100'000, 'x'), true, compressed);
  EXPECT_LT(compressed.size(), 5'000u);
}

// What a sink gets, and how much memory it says to hold.
class Text final : public BodySink {
 public:
  void add(std::string_view piece) override { text += piece; }
  std::size_t memory() const override { return text.capacity(); }

  std::string text;
};

std::string compressed(const std::string& text) {
  std::string out;
  Gzip().add(text, true, out);
  return out;
}

TEST(Gunzip, GivesBackWhatWasCompressedInAnyPieces) {
  for (const std::string& text : {std::string(), std::string(50'000, 'x'), noise(50'000)}) {
    const std::string packed = compressed(text);
    for (const std::size_t size : {std::size_t{1}, std::size_t{7}, packed.size()}) {
      Text sink;
      Gunzip gunzip(sink, text.size());
      for (std::size_t at = 0; at < packed.size(); at += size) {
        EXPECT_FALSE(gunzip.is_whole());
        gunzip.add(packed.substr(at, size));
      }
      EXPECT_TRUE(gunzip.is_whole());
      EXPECT_FALSE(gunzip.is_too_large());
      EXPECT_EQ(sink.text, text);
      EXPECT_GT(gunzip.memory(), sink.memory());
    }
  }
}

TEST(Gunzip, TakesOneWholeStreamAlone) {
  const std::string packed = compressed("some text");
  std::string damaged = packed;
  damaged[damaged.size() - 8] ^= 1;  // of the checksum
  for (const std::string& bytes : {std::string(), std::string("text"), damaged, packed + "x",
                                   packed + packed, packed.substr(0, packed.size() - 1)}) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{1'000}}) {
      Text sink;
      Gunzip gunzip(sink, 1'000);
      for (std::size_t at = 0; at < bytes.size(); at += size) gunzip.add(bytes.substr(at, size));
      EXPECT_FALSE(gunzip.is_whole()) << bytes.size();
    }
  }
}

TEST(Gunzip, StopsWhereThereIsTooMuch) {
  Text sink;
  Gunzip gunzip(sink, 99'999);
  gunzip.add(compressed(std::string(100'000, 'x')));
  EXPECT_TRUE(gunzip.is_too_large());
  EXPECT_FALSE(gunzip.is_whole());
  EXPECT_LE(sink.text.size(), 99'999u);
}

}  // namespace
}  // namespace dwell
