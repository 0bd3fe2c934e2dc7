#include "http/api/negotiate.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

constexpr auto kJson = Representation::json;
constexpr auto kNdjson = Representation::ndjson;
constexpr auto kCsv = Representation::csv;

TEST(Negotiate, TakesTheBestOffer) {
  const std::pair<const char*, std::optional<Representation>> expectations[] = {
      {"", kJson},
      {" ", kJson},
      {"*/*", kJson},
      {"application/*", kJson},
      {"application/json", kJson},
      {"application/x-ndjson", kNdjson},
      {"text/csv", kCsv},
      {"text/*", kCsv},
      {"Text/CSV", kCsv},
      {"text/csv, application/json", kJson},
      {"text/csv, application/json;q=0.5", kCsv},
      {"text/csv;q=0.2,application/x-ndjson;q=0.3", kNdjson},
      {"text/csv;header=present;q=0.9, */*;q=0.1", kCsv},
      {"text/csv; Q=0.5, application/x-ndjson;q=0.4", kCsv},
      {"*/*, application/json;q=0", kNdjson},
      {"application/json;q=0, */*", kNdjson},
      {"text/html,application/xhtml+xml,*/*;q=0.8", kJson},
      {"text/html", std::nullopt},
      {"*/*;q=0", std::nullopt},
      {"application/json;q=0", std::nullopt},
      {"text/csv;q=nan, application/json;q=0.1", kJson},
      {"application/jsonx", std::nullopt},
      {",,,", std::nullopt},
      {";;;=,q=", std::nullopt},
  };
  for (const auto& [accept, expected] : expectations) {
    EXPECT_EQ(negotiate(accept), expected) << accept;
  }
}

TEST(Negotiate, NamesTheContentType) {
  EXPECT_EQ(content_type(kJson), "application/json");
  EXPECT_EQ(content_type(kNdjson), "application/x-ndjson");
  EXPECT_EQ(content_type(kCsv), "text/csv; charset=utf-8");
}

}  // namespace
}  // namespace dwell
