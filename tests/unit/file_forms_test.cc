// Files that are not lines: what a FileSource makes of them, also in two goes.
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>
#include <random>
#include <zlib.h>
#include <zstd.h>

#include "file/file_source.h"
#include "tests/fakes/small_files.h"
#include "tests/fakes/stopped_clock.h"

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// One gzip member.
std::string gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// One zstd frame.
std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

class FileFormsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "dwell_forms_XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = std::filesystem::canonical(folder);
    path_ = folder_ / "input";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(std::string_view bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }
  void append(std::string_view bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::app) << bytes;
  }

  // What a new process reads that goes on behind `committed_`: at most `polls` batches. Keeps what
  // it committed, its remarks and its error.
  std::vector<std::string> read(const FileLimits& limits = kSmall, int polls = 1'000'000) {
    std::vector<std::string> records;
    remarks_.clear();
    error_.clear();
    auto source = FileSource::open(path_, limits, clock_);
    auto sought = source ? (*source)->seek(0, committed_) : Result<void>();
    if (!source || !sought) {
      error_ = source ? sought.error().message : source.error().message;
      return records;
    }
    for (bool is_last = false; !is_last && polls > 0; --polls) {
      const auto batch = (*source)->poll();
      if (!batch) {
        error_ = batch.error().message;
        break;
      }
      is_last = batch->is_last;
      for (const Record& record : batch->single().records) {
        records.push_back(record.truncated_from ? fmt::format("{} bytes", record.truncated_from)
                                                : std::string(record.bytes));
      }
      const auto positions = batch->single().positions;
      if (!positions.empty()) committed_.assign(positions.begin(), positions.end());
    }
    remarks_ = (*source)->remarks();
    return records;
  }

  std::vector<std::string> read_anew(std::string_view bytes, const FileLimits& limits = kSmall) {
    write(bytes);
    committed_.clear();
    return read(limits);
  }

  StoppedClock clock_;
  std::filesystem::path folder_;
  std::string path_;
  std::vector<Position> committed_;
  std::vector<std::string> remarks_;
  std::string error_;
};

// 40 records in every form, some of them longer than others.
std::vector<std::string> objects() {
  std::vector<std::string> all;
  for (int i = 0; i < 40; ++i) {
    all.push_back(fmt::format("{{\"device_id\":\"d{}\",\"event_type\":\"{}\"}}", i,
                              std::string(static_cast<std::size_t>(1 + i * 37 % 700), 'x')));
  }
  return all;
}

std::map<std::string, std::string> forms() {
  const auto all = objects();
  const std::string array = fmt::format("[{}]\n", fmt::join(all, ", "));
  const std::string lines = fmt::format("{}\n", fmt::join(all, "\n"));
  std::string csv = "device_id;skip;event_type\r\n";
  std::string pretty;
  for (const auto& object : all) {
    const auto id_end = object.find("\",\"event_type\":\"");
    const auto id = object.substr(14, id_end - 14);
    const auto type = object.substr(id_end + 16, object.size() - id_end - 18);
    csv += fmt::format("{};\"a;\r\n\"\"b\";\"{}\"\r\n", id, type);
    pretty += object + '\n';
  }
  return {{"array", array},
          {"array over lines", fmt::format("[\n{}\n]", fmt::join(all, ",\n"))},
          {"two arrays", array + array.substr(0, 1) + "]\n"},
          {"wrapped", fmt::format("{{\"events\":[{}],\"next\":\"x\"}}\n", fmt::join(all, ","))},
          {"csv", csv},
          {"a mark", "\xef\xbb\xbf" + lines},
          {"a mark and csv", "\xef\xbb\xbf" + csv},
          {"gzip", gzip(lines)},
          {"gzip in two", gzip(lines.substr(0, 5000)) + gzip(lines.substr(5000))},
          {"gzip of an array", gzip(array)},
          {"gzip of csv", gzip(csv)},
          {"zstd", zstd(lines)},
          {"zstd in two", zstd(lines.substr(0, 5000)) + zstd(lines.substr(5000))}};
}

TEST_F(FileFormsTest, TheSameRecordsComeOut) {
  for (const auto& [form, bytes] : forms()) {
    SCOPED_TRACE(form);
    EXPECT_EQ(read_anew(bytes), objects());
    EXPECT_EQ(error_, "");
    EXPECT_THAT(remarks_, IsEmpty());
    EXPECT_THAT(read(), IsEmpty()) << "all of it was read";
    EXPECT_EQ(error_, "");
    EXPECT_THAT(remarks_, IsEmpty());
  }
}

TEST_F(FileFormsTest, GoesOnFromEveryPosition) {
  for (const auto& [form, bytes] : forms()) {
    SCOPED_TRACE(form);
    write(bytes);
    committed_.clear();
    std::vector<std::string> all;
    for (int goes = 0; goes < 200; ++goes) {
      for (auto& record : read(kOneByOne, 1)) all.push_back(std::move(record));
      ASSERT_EQ(error_, "");
    }
    EXPECT_EQ(all, objects());
  }
}

TEST_F(FileFormsTest, OneDamagedLineMakesNoOtherKindOfTheFile) {
  for (const auto* damaged : {"{\"a\":1", "[2025-07-08] {\"a\":1}", "{\"a\":\"x", "x", "\x01\x02",
                              "device_id", "{\"a\":1}}"}) {
    const auto lines = read_anew(fmt::format("{}\n{{\"b\":2}}\n{{\"c\":3}}\n", damaged));
    EXPECT_THAT(lines, ElementsAre(damaged, "{\"b\":2}", "{\"c\":3}"));
  }
}

TEST_F(FileFormsTest, ALargeElementIsToldAndTheNextIsRead) {
  for (const std::size_t size : {1000u, 1500u, 2500u, 9000u}) {
    const auto large = fmt::format("{{\"a\":\"{}\"}}", std::string(size, 'x'));
    const auto expected = large.size() > 1024 ? fmt::format("{} bytes", large.size()) : large;
    EXPECT_THAT(read_anew(fmt::format("[{{}},{},\n{{\"b\":2}}]", large)),
                ElementsAre("{}", expected, "{\"b\":2}"));
    EXPECT_THAT(remarks_, IsEmpty());
  }
}

TEST_F(FileFormsTest, AQuoteWithoutEndMakesOnlyItsLineWrong) {
  const std::string header = "device_id,event_type\n";
  EXPECT_THAT(read_anew(header + "a,\"b\nc,d\n"),
              ElementsAre("a,\"b", R"({"device_id":"c","event_type":"d"})"));
  std::string many;
  for (int i = 0; i < 500; ++i) many += "c,d\n";
  const auto records = read_anew(header + "a,\"b\n" + many);
  ASSERT_THAT(records, SizeIs(501));
  EXPECT_EQ(records[0], "a,\"b");
  EXPECT_EQ(records[500], R"({"device_id":"c","event_type":"d"})");
  const auto large = std::string(5000, 'x');
  EXPECT_THAT(read_anew(header + "a,\"" + large + "\nc,d\n"),
              ElementsAre("5003 bytes", R"({"device_id":"c","event_type":"d"})"));
}

TEST_F(FileFormsTest, ColumnsAreNamedByTheMapping) {
  EXPECT_THAT(read_anew("who\tkind\na\tb\n"), ElementsAre("who\tkind", "a\tb"));
  write("who\tkind\tx\na\tb\\\"\t1\nc\n\n d ,e\tf\n");
  Mapping mapping;
  mapping.device_id = {"{/who}@{/x}"};
  mapping.event_type = {"/kind"};
  const auto source = FileSource::open(path_, kSmall, clock_, Reading::to_end, mapping);
  ASSERT_TRUE(source);
  ASSERT_TRUE((*source)->seek(0, {}));
  const auto batch = (*source)->poll();
  ASSERT_TRUE(batch);
  std::vector<std::string> records;
  for (const Record& record : batch->single().records) records.emplace_back(record.bytes);
  EXPECT_THAT(records, ElementsAre(R"({"who":"a","kind":"b\\\"","x":"1"})", R"({"who":"c"})",
                                   R"({"who":"d ,e","kind":"f"})"));
  EXPECT_EQ(batch->single().records[1].offset, 19);
}

TEST_F(FileFormsTest, ARowWithMoreFieldsThanTheHeaderIsGivenAsItStands) {
  EXPECT_THAT(read_anew("device_id,event_type\na,b,c\nd,e,\n"),
              ElementsAre("a,b,c\n", R"({"device_id":"d","event_type":"e"})"));
}

TEST_F(FileFormsTest, ATruncatedFileKeepsWhatWasWhole) {
  const std::string text = fmt::format("{}\n", fmt::join(objects(), "\n"));
  for (const auto& packed : {gzip(text), zstd(text)}) {
    const auto records = read_anew(packed.substr(0, packed.size() - 3));
    EXPECT_THAT(error_, HasSubstr("data end too early behind byte"));
    const auto all = objects();
    EXPECT_EQ(records, std::vector(all.begin(), all.begin() + static_cast<long>(records.size())));
    write(packed);
    auto both = records;
    for (auto& record : read()) both.push_back(std::move(record));
    EXPECT_EQ(both, all) << "goes on in the whole file";
    EXPECT_EQ(error_, "");
  }
}

TEST_F(FileFormsTest, WhatFollowsThePackedTextIsTold) {
  EXPECT_THAT(read_anew(gzip("{}\n") + "garbage"), ElementsAre("{}"));
  EXPECT_EQ(error_, "");
  EXPECT_THAT(remarks_, ElementsAre(HasSubstr("is no gzip any more from byte")));
}

TEST_F(FileFormsTest, DamagedBytesAreTold) {
  std::string packed = gzip(fmt::format("{}\n", fmt::join(objects(), "\n")));
  packed[packed.size() - 6] ^= 1;  // of the check sum
  read_anew(packed);
  EXPECT_THAT(error_, HasSubstr("its gzip data are damaged (incorrect data check) behind byte"));
}

TEST_F(FileFormsTest, AnotherPackedFileIsRefused) {
  read_anew(gzip("{\"a\":1}\n{\"b\":2}\n"));
  write(gzip("{\"a\":1}\n{\"b\":3}\n{\"c\":4}\n"));
  EXPECT_THAT(read(), IsEmpty());
  EXPECT_THAT(error_, HasSubstr("differ from the file read before"));
}

TEST_F(FileFormsTest, AMemberThatIsAppendedIsRead) {
  read_anew(gzip("{\"a\":1}\n"));
  append(gzip("{\"b\":2}\n"));
  EXPECT_THAT(read(), ElementsAre("{\"b\":2}"));
}

TEST_F(FileFormsTest, AMissingEndIsTold) {
  const std::string row =
      R"({"deviceID":"a","eventType":"device_enter","timestamp":"2025-07-08T12:00:00Z"})";
  const std::string csv =
      "deviceID,eventType,timestamp\r\n\"a\",device_enter,2025-07-08T12:00:00Z\r\n";
  for (const auto& [whole, missing] : std::vector<std::pair<std::string, std::string>>{
           {"{\"events\":[" + row + "]}\n", "]}"},
           {row + "\n{\"end\":true,\"events\":1}\n", "{\"end\":true,...}"},
           {csv + "# end,1\r\n", "# end,..."},
           {"[" + row + "\n]\n", "]"}}) {
    EXPECT_THAT(read_anew(whole), SizeIs(1)) << whole;
    EXPECT_THAT(remarks_, IsEmpty()) << whole;
    const auto last = whole.find_last_of("]{#");
    EXPECT_THAT(read_anew(whole.substr(0, last)), SizeIs(1)) << whole;
    ASSERT_THAT(remarks_, SizeIs(1)) << whole;
    EXPECT_THAT(remarks_[0], HasSubstr(": " + missing + " is missing at its end"));
  }
}

TEST_F(FileFormsTest, OtherKindsAreRefusedByName) {
  using namespace std::string_literals;
  for (const auto& [bytes, kind] : std::vector<std::pair<std::string, std::string>>{
           {"\xff\xfe{\0\"\0"s, "is UTF-16, which Dwell does not read; iconv -f UTF-16 -t UTF-8 "},
           {"{\0\"\0a\0\"\0:\0"s, "is UTF-16LE, which Dwell does not read; iconv -f UTF-16LE"},
           {"\0{\0\"\0a\0\"\0:"s, "is UTF-16BE"},
           {"\xff\xfe\0\0{\0\0\0"s, "is UTF-32,"},
           {"{\0\0\0\"\0\0\0"s, "is UTF-32LE"},
           {"PK\3\4....", "is a zip archive, which Dwell does not read; unzip -p "},
           {"PAR1\x15\x04", "is Parquet"},
           {"Obj\1\x04", "is Avro"},
           {"ORC\0\0"s, "is ORC"},
           {"BZh91AY&SY", "is packed by bzip2"},
           {"\xfd"s + "7zXZ\0\0"s, "is packed by xz, which Dwell does not read; xz -dc "},
           {"\x04\x22\x4d\x18..", "is packed by lz4"},
           {"SQLite format 3\0.."s, "is an SQLite database"},
           {"%PDF-1.4", "is a PDF document, which Dwell does not read"},
           {"\x7f"
            "ELF\2\1\1\0\n\0"s,
            "is not text: byte 0x02 at 4;"},
           {gzip(gzip("{}")), "is packed by gzip within"},
           {gzip(std::string(257, 'a') + "ustar"), "is a tar archive"}}) {
    EXPECT_THAT(read_anew(bytes), IsEmpty());
    EXPECT_THAT(error_, HasSubstr(path_ + ": " + kind));
  }
}

TEST_F(FileFormsTest, ThePathInACommandIsOneWord) {
  path_ = folder_ / "it's a file";
  read_anew("PK\3\4....");
  EXPECT_THAT(error_, HasSubstr("unzip -p '" + folder_.string() + "/it'\\''s a file' | dwell"));
}

TEST_F(FileFormsTest, OnlyLinesAreFollowed) {
  for (const auto& [bytes, kind] : std::vector<std::pair<std::string, std::string>>{
           {"[{\"a\":1}]", "is a JSON array, or objects over several lines, and only one JSON"},
           {"{\n\"a\":1\n}\n", "is a JSON array, or objects over several lines"},
           {"device_id,event_type\n", "is CSV"},
           {gzip("{}"),
            "is packed by gzip, and only one JSON object a line can be followed; "
            "`dwell replay` reads it"},
           {"PK\3\4....", "is a zip archive"}}) {
    write(bytes);
    const auto source = FileSource::open(path_, kSmall, clock_, Reading::follow);
    ASSERT_FALSE(source) << bytes;
    EXPECT_EQ(source.error().kind, ErrorKind::invalid);
    EXPECT_THAT(source.error().message, HasSubstr(path_ + ": " + kind));
  }
}

}  // namespace
}  // namespace dwell
