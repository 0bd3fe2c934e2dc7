// Settings: what each takes, where a value comes from, and what is said of a wrong one.
#include "app/settings/settings.h"

#include <fstream>
#include <gmock/gmock.h>
#include <set>

#include "app/settings/config_loader.h"
#include "app/settings/time_zones.h"
#include "tests/fakes/temp_folder.h"

namespace dwell {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const Setting& setting(std::string_view key) {
  const Setting* found = find_setting(settings(), key);
  EXPECT_NE(found, nullptr) << key;
  return *found;
}

std::string shown(std::string_view key, std::string_view text) {
  Config config;
  return setting(key).set(text, config) ? setting(key).show(config) : "refused";
}

TEST(Settings, EachHasNamesOfItsOwn) {
  std::set<std::string> keys, flags, variables;
  for (const Setting& one : settings()) {
    EXPECT_TRUE(keys.insert(one.key).second) << one.key;
    EXPECT_TRUE(flags.insert(one.flag).second) << one.flag;
    EXPECT_TRUE(variables.insert(one.environment()).second) << one.key;
    EXPECT_FALSE(one.help.empty() || one.help.ends_with('.')) << one.key;
  }
}

// Set to what it shows, a setting is as it was: the page, `dwell config` and the parser agree. And
// it sets its own member: nothing else shows another value.
TEST(Settings, EachTakesWhatItShowsAndChangesNothingElse) {
  for (const Setting& one : settings()) {
    if (one.is_family) continue;
    Config config;
    const auto text = one.show(config);
    ASSERT_TRUE(one.set(text, config)) << one.key << " = " << text;
    for (const Setting& other : settings()) {
      EXPECT_EQ(other.show(config), other.show(Config())) << one.key << " changed " << other.key;
    }
  }
}

// The first of some texts that the setting takes and does not have by default.
std::string other_value(const Setting& one) {
  for (const char* text : {"arrival",     "suppress",   "received", "none",  "no",    "yes",
                           "a.example",   "7",          "12345",    "2MiB",  "1h",    "5s",
                           "127.0.0.1:1", "2020-01-02", "us",       "lower", "/a,/b", "name",
                           "UTC",         "mapped",     "text",     "error"}) {
    Config config;
    if (one.set(text, config) && one.show(config) != one.show(Config())) return text;
  }
  return "";
}

TEST(Settings, EachCanBeChangedAlone) {
  for (const Setting& one : settings()) {
    if (one.is_family) continue;
    const auto text = other_value(one);
    ASSERT_FALSE(text.empty()) << one.key;
    Config config;
    ASSERT_TRUE(one.set(text, config));
    EXPECT_EQ(one.show(config), text) << one.key;
    for (const Setting& other : settings()) {
      if (other.key == one.key) continue;
      EXPECT_EQ(other.show(config), other.show(Config())) << one.key << " changed " << other.key;
    }
  }
}

TEST(Settings, ARefusedValueChangesNothing) {
  const std::pair<const char*, const char*> refused[] = {
      {"db.path", ""},           {"db.cache", "1KiB"},         {"db.cache", "2 MiB"},
      {"order.mode", "sorted"},  {"order.window_max", "0"},    {"order.horizon", "0ms"},
      {"first_exit", ""},        {"clock.max_ahead", "never"}, {"batch.records", "1000001"},
      {"http.listen", "8080"},   {"http.listen", "off"},       {"http.hosts", "a,,b"},
      {"brokers", "a:b"},        {"topics.input", "a b"},      {"input.partitioned_by", "key"},
      {"clean.threads", "65"},   {"clean.threads", "1.5"},     {"database.url", ""},
      {"database.migrate", "1"}, {"serve.timeout", "99ms"},    {"log.format", "JSON"},
      {"log.level", "warn"}};
  for (const auto& [key, text] : refused) {
    EXPECT_EQ(shown(key, text), "refused") << key << " = " << text;
    Config config;
    EXPECT_FALSE(setting(key).set(text, config));
    EXPECT_EQ(setting(key).show(config), setting(key).show(Config()));
  }
}

TEST(Settings, ThreeChoicesAreSaidInWords) {
  EXPECT_EQ(setting("input.partitioned_by").expected, "auto, device or none");
  EXPECT_EQ(setting("order.mode").expected, "arrival or event_time");
}

TEST(Settings, ATimeZoneIsShownWithTheVersionThatItIsOf) {
  const auto known = tzdata();
  ASSERT_TRUE(known);
  const auto berlin = fmt::format("Europe/Berlin (tzdata {})", (*known)->version);
  EXPECT_EQ(shown("input.time_zone", "Europe/Berlin"), berlin);
  EXPECT_EQ(shown("input.time_zone", berlin), berlin);
  EXPECT_EQ(shown("input.time_zone", "Europe/Berlin (tzdata 1999a)"), berlin);
  EXPECT_EQ(shown("input.time_zone", "off"), "off");
  for (const char* text : {"", "none", "localtime", "Berlin", "europe/berlin", "+01:00"}) {
    EXPECT_EQ(shown("input.time_zone", text), "refused") << text;
  }
}

TEST(Settings, AMistypedTimeZoneHasANeighbour) {
  const auto said = [](const char* text) { return setting("input.time_zone").refusal(text); };
  for (const char* text : {"Europe/Berlim", "europe/berlin", "Berlin", "berlin"}) {
    EXPECT_THAT(said(text), HasSubstr("the nearest is Europe/Berlin")) << text;
  }
  EXPECT_THAT(said("new_york"), HasSubstr("the nearest is America/New_York"));
  EXPECT_THAT(said("zzzzzzzz"), Not(HasSubstr("nearest")));
}

TEST(Settings, AnotherVersionOfTzdataIsSaid) {
  const auto berlin = *TimeZone::load("Europe/Berlin");
  EXPECT_EQ(warning_of_tzdata(show_time_zone(berlin), berlin, "database x"), "");
  EXPECT_EQ(warning_of_tzdata("Europe/Paris (tzdata 1999a)", berlin, "database x"), "");
  EXPECT_EQ(warning_of_tzdata("off", berlin, "database x"), "");
  EXPECT_EQ(warning_of_tzdata("Europe/Berlin (tzdata 1999a)", {}, "database x"), "");
  EXPECT_THAT(
      warning_of_tzdata("Europe/Berlin (tzdata 1999a)", berlin, "database x"),
      AllOf(HasSubstr("database x"), HasSubstr("1999a"), HasSubstr(show_time_zone(berlin))));
}

TEST(Settings, AFamilyIsFoundByItsMembers) {
  const Setting& family = setting("kafka.extra.sasl.password");
  EXPECT_EQ(family.key, "kafka.extra.NAME");
  EXPECT_TRUE(family.is_secret);
  EXPECT_EQ(family.key_of("DWELL_KAFKA_EXTRA_SASL_PASSWORD"), "kafka.extra.sasl.password");
  EXPECT_EQ(family.key_of("DWELL_KAFKA_EXTRA_"), "");
  EXPECT_EQ(find_setting(settings(), "kafka.extra."), nullptr);
}

TEST(Settings, AMistypedKeyHasANeighbour) {
  EXPECT_EQ(nearest_key(settings(), "clock.max_aheed"), "clock.max_ahead");
  EXPECT_EQ(nearest_key(settings(), "zzzz"), "");
  EXPECT_EQ(nearest_variable(settings(), "DWELL_ORDR_MODE"), "DWELL_ORDER_MODE");
  EXPECT_EQ(nearest_variable(settings(), "DWELL_ZZZZ"), "");
}

TEST(Settings, ContradictionsAreNamed) {
  Config config;
  EXPECT_THAT(contradictions(config), IsEmpty());
  config.topics.cleaned = config.topics.input;
  EXPECT_THAT(contradictions(config),
              ElementsAre(AllOf(HasSubstr("topics.input and topics.cleaned are both"),
                                HasSubstr("give each a topic of its own"))));
  config = Config();
  config.store_group = config.group + "-key";
  EXPECT_THAT(contradictions(config), ElementsAre(HasSubstr("give each another name")));
}

class LoaderTest : public testing::Test {
 protected:
  std::vector<Assignment> file(const std::string& text) {
    const auto path = folder_.file("d.toml");
    std::ofstream(path) << text;
    return read_config_file(settings(), path, problems_);
  }

  TempFolder folder_;
  Problems problems_;
};

TEST_F(LoaderTest, LaterOnesWinAndPlacesAreKnown) {
  auto all = file("[db]\npath = \"file.db\"\ncache = \"2MiB\"\n[clean]\nthreads = 2\n");
  const std::vector<std::string> environment = {"HOME=/", "DWELL_DB_PATH=variable.db",
                                                "DWELL_CLEAN_THREADS=3", "DWELL_CONFIG=d.toml"};
  for (auto& one : read_environment(settings(), environment, problems_)) all.push_back(one);
  all.push_back({"clean.threads", "4", "flag --clean-threads"});
  const auto loaded = apply(settings(), all, problems_);
  EXPECT_THAT(problems_, IsEmpty());
  EXPECT_EQ(loaded.db_path, "variable.db");
  EXPECT_EQ(loaded.db_cache_bytes, 2u << 20);
  EXPECT_EQ(loaded.clean_threads, 4u);
  EXPECT_EQ(loaded.places.at("db.path"), "environment DWELL_DB_PATH");
  EXPECT_THAT(loaded.places.at("db.cache"), HasSubstr("d.toml:3"));
  EXPECT_EQ(loaded.places.at("clean.threads"), "flag --clean-threads");
  EXPECT_TRUE(loaded.is_default("brokers"));
}

TEST_F(LoaderTest, EveryProblemIsToldWithItsPlace) {
  auto all = file("[db]\ncache = \"much\"\npaht = \"x\"\n[order]\nmode = \"sorted\"\n");
  apply(settings(), all, problems_);
  ASSERT_EQ(problems_.size(), 3u);
  std::string text;
  for (const std::string& problem : problems_) text += problem + "\n";
  EXPECT_THAT(text, AllOf(HasSubstr("d.toml:2"), HasSubstr("db.cache"), HasSubstr("much")));
  EXPECT_THAT(text, AllOf(HasSubstr("d.toml:3"), HasSubstr("db.paht"), HasSubstr("db.path")));
  EXPECT_THAT(text, AllOf(HasSubstr("d.toml:5"), HasSubstr("arrival or event_time")));
}

TEST_F(LoaderTest, AnUnknownVariableIsAProblemAndAForeignOneIsNot) {
  const std::vector<std::string> environment = {"DWELL_DB_PAHT=x", "PATH=/bin",
                                                "DWELL_TEST_ANYTHING=1"};
  EXPECT_THAT(read_environment(settings(), environment, problems_), IsEmpty());
  EXPECT_THAT(problems_, ElementsAre(HasSubstr("DWELL_DB_PAHT")));
}

TEST_F(LoaderTest, SecretsAreMaskedAndComeBackNowhere) {
  const std::vector<Assignment> all = {
      {"database.url", "postgresql://u:hidden@h/d", "environment DWELL_DATABASE_URL"},
      {"kafka.extra.sasl.password", "hidden", "d.toml:1"}};
  const auto loaded = apply(settings(), all, problems_);
  EXPECT_THAT(problems_, IsEmpty());
  const auto text = show_config(settings(), loaded);
  EXPECT_THAT(text, Not(HasSubstr("hidden")));
  EXPECT_THAT(text, HasSubstr("environment DWELL_DATABASE_URL"));
  EXPECT_EQ(loaded.kafka_extra.at("sasl.password"), "hidden");
}

}  // namespace
}  // namespace dwell
