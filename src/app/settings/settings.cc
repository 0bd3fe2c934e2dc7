#include "app/settings/settings.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <numeric>

#include "app/settings/setting_kinds.h"
#include "kafka/client/extra.h"

namespace dwell {
namespace {

// Settings of librdkafka by its own names.
Setting kafka_extra() {
  return {.key = "kafka.extra.NAME",
          .flag = "--kafka-extra",
          .help =
              "Any setting of librdkafka by its own name, such as security.protocol or "
              "sasl.password; it wins over what Dwell sets. Everybody on the machine sees flags: "
              "give secrets in the file or the environment",
          .expected = "NAME=VALUE as librdkafka takes it, once for each",
          .is_secret = true,
          .is_family = true,
          .set =
              [](std::string_view text, Config& config) {
                const auto equals = text.find('=');
                if (equals == 0 || equals == std::string_view::npos) return false;
                const std::string name(text.substr(0, equals));
                const std::string value(text.substr(equals + 1));
                if (!takes_kafka_setting(name, value)) return false;
                config.kafka_extra[name] = value;
                return true;
              },
          .show =
              [](const Config& config) {
                std::string lines;
                for (const auto& [name, value] : config.kafka_extra) {
                  lines += fmt::format("{}={}\n", name, value);
                }
                return lines.empty() ? "none" : lines;
              },
          .refusal =
              [](std::string_view) {
                return std::string("librdkafka has no such setting, or refuses this value");
              }};
}

Setting with_flag(Setting setting, std::string flag) {
  setting.flag = std::move(flag);
  return setting;
}

// One that is masked wherever settings are shown.
Setting secret(Setting setting) {
  setting.is_secret = true;
  return setting;
}

// Of the settings that decide outcomes, those that are facts of topics.
constexpr std::array<std::string_view, 6> kFacts{"order.mode",      "clock.earliest",
                                                 "input.time_unit", "input.time_zone",
                                                 "input.device_id", "input.device_id_case"};

// Some of those that decide outcomes.
std::vector<Setting> deciding(std::vector<Setting> all) {
  for (Setting& setting : all) setting.decides = true;
  return all;
}

// One that makes the ids: rows under others could never be told to be of the same device.
Setting fixed(Setting setting) {
  setting.is_fixed = true;
  return setting;
}

// Of the SQLite file.
std::vector<Setting> file_settings() {
  return {
      with_flag(
          text("db.path", at(&Config::db_path), kPath, "The SQLite file that holds the timeline"),
          "--db"),
      bytes(
          "db.cache", at(&Config::db_cache_bytes), 1 << 20, 64ull << 30,
          "Memory for pages of the SQLite file, for each connection; `run` has three connections"),
  };
}

// Of the rule.
std::vector<Setting> rule_settings() {
  return deciding({
      with_flag(choice("order.mode", at(&Config::rule, &Rule::order),
                       std::vector<std::pair<std::string_view, Order>>{
                           {"arrival", Order::arrival}, {"event_time", Order::event_time}},
                       "Judge events in the order in which they come, or as if sorted by their "
                       "timestamps; the database keeps the order that it was made with"),
                "--order"),
      count(
          "order.window_max", at(&Config::rule, &Rule::window_max), 1, kLargestWindow,
          "event_time: how many of a device's newest events a late one can still be sorted among"),
      duration("order.horizon", at(&Config::rule, &Rule::horizon), Milliseconds{1},
               "event_time: how far behind a device's newest event a late one may lie"),
      choice("first_exit", at(&Config::rule, &Rule::first_exit),
             std::vector<std::pair<std::string_view, FirstExit>>{{"accept", FirstExit::accept},
                                                                 {"suppress", FirstExit::suppress}},
             "Whether a device's first event may be an exit; with suppress a device never seen "
             "counts as outside"),
      count(
          "duplicate.window", at(&Config::rule, &Rule::duplicate_window), 0,
          kLargestDuplicateWindow,
          "arrival: among how many of a device's last accepted events Dwell looks for a duplicate"),
      choice("clock.source", at(&Config::rule, &Rule::clock_source),
             std::vector<std::pair<std::string_view, ClockSource>>{
                 {"event", ClockSource::event}, {"received", ClockSource::received}},
             "Whose time counts: the event's own, or, for devices without a usable clock, that of "
             "its receipt"),
      limit("clock.max_ahead", at(&Config::rule, &Rule::max_ahead),
            "Reject events this far ahead of their receipt, as future_timestamp"),
      limit("clock.max_behind", at(&Config::rule, &Rule::max_behind),
            "Reject events this far behind their receipt, as past_timestamp"),
      earliest("clock.earliest", at(&Config::rule, &Rule::time, &TimeFormat::earliest),
               "Reject events of an earlier time, as past_timestamp: clocks that were not set yet "
               "begin in 1970 or 2000"),
      choice(
          "input.time_unit", at(&Config::rule, &Rule::time, &TimeFormat::unit),
          std::vector<std::pair<std::string_view, TimeUnit>>{
              {name(TimeUnit::automatic), TimeUnit::automatic},
              {name(TimeUnit::s), TimeUnit::s},
              {name(TimeUnit::ms), TimeUnit::ms},
              {name(TimeUnit::us), TimeUnit::us},
              {name(TimeUnit::ns), TimeUnit::ns}},
          "What a number says as a timestamp: s, ms, us or ns since 1970; auto takes the only one "
          "of them that puts it between clock.earliest and 2100"),
      time_zone("input.time_zone", at(&Config::rule, &Rule::time, &TimeFormat::zone),
                "The time zone of texts as times that name none; off: they are rejected"),
      fixed(
          list("input.device_id", at(&Config::rule, &Rule::mapping, &Mapping::device_id),
               "JSON pointers with commas, such as /clientId; or texts with pointers in braces, "
               "such as {/person}@{/room}",
               are_id_places,
               "Where the id of the device stands in a record; of several the first that is there "
               "counts")),
      fixed(choice(
          "input.device_id_case", at(&Config::rule, &Rule::mapping, &Mapping::id_spelling),
          std::vector<std::pair<std::string_view, IdSpelling>>{
              {"keep", IdSpelling::keep}, {"lower", IdSpelling::lower}, {"mac", IdSpelling::mac}},
          "What becomes of ids, so that several spellings are one device: nothing; A to Z become a "
          "to z; or a MAC address, also as a part of an id, becomes 02:00:5e:10:00:aa")),
      list("input.event_type", at(&Config::rule, &Rule::mapping, &Mapping::event_type),
           "JSON pointers with commas, such as /event", are_places,
           "Where the event type stands in a record"),
      list("input.timestamp", at(&Config::rule, &Rule::mapping, &Mapping::timestamp),
           "JSON pointers with commas, such as /data/time", are_places,
           "Where the time stands in a record"),
      list("input.enter", at(&Config::rule, &Rule::mapping, &Mapping::enter),
           "names with commas; * is every type that is no exit", are_type_names,
           "Which event types say that a device enters"),
      list("input.exit", at(&Config::rule, &Rule::mapping, &Mapping::exit),
           "names with commas; * is every type that is no enter", are_type_names,
           "Which event types say that it leaves"),
      bytes("input.max_record", at(&Config::limits, &FileLimits::record_bytes), 1 << 10, 64 << 20,
            "The longest record; a longer one is rejected as too_large"),
  });
}

// Of what is read, and what is kept of it.
std::vector<Setting> input_settings() {
  return {
      count("batch.records", at(&Config::limits, &FileLimits::batch_records), 1, 1'000'000,
            "The most records committed together"),
      bytes("batch.bytes", at(&Config::limits, &FileLimits::batch_bytes), 64 << 10, 1 << 30,
            "The most bytes of records committed together"),
      duration("rejects.max_age", at(&Config::rejects_max_age), Milliseconds{1},
               "How long a rejected record is kept"),
      bytes("rejects.max_bytes", at(&Config::rejects_max_bytes), 0, 1ull << 40,
            "How many bytes of rejected records Dwell keeps, each counted with 128 bytes on top; "
            "the oldest go first"),
  };
}

// Of HTTP.
std::vector<Setting> http_settings() {
  return {
      with_flag(text("http.listen", at(&Config::http_listen), kAddress,
                     "The address to serve HTTP on, HOST:PORT; port 0 takes a free one"),
                "--listen"),
      hosts("http.hosts", at(&Config::http_limits, &ServerLimits::hosts),
            "By which names clients may call the service, besides addresses, its machine's name "
            "and names without a dot"),
      bytes("http.max_body", at(&Config::http_limits, &ServerLimits::body_bytes), 1 << 10, 1 << 30,
            "The longest body of a request"),
      count("http.max_connections", at(&Config::http_limits, &ServerLimits::connections), 1,
            1'000'000, "The most connections at one time"),
      bytes("http.max_queued", at(&Config::intake_limits, &IntakeLimits::queued_bytes), 1 << 10,
            64ull << 30,
            "The most bytes of posted events waiting to be committed; further requests get 503"),
      bytes("http.max_receiving", at(&Config::http_limits, &ServerLimits::body_bytes_in_all),
            1 << 10, 64ull << 30,
            "The most bytes of request bodies being received at one time, as sent or as held; "
            "further requests get 503"),
      duration("http.idle_timeout", at(&Config::http_limits, &ServerLimits::idle), kShortestTimeout,
               "How long a connection may be silent between two requests"),
      duration("http.head_timeout", at(&Config::http_limits, &ServerLimits::head), kShortestTimeout,
               "How long the head of a request may take to arrive"),
      duration("http.body_timeout", at(&Config::http_limits, &ServerLimits::body), kShortestTimeout,
               "How long the body of a request may take to arrive"),
      duration("http.write_timeout", at(&Config::http_limits, &ServerLimits::write),
               kShortestTimeout, "How long a client may take to read a piece of an answer"),
  };
}

// Of the brokers and their topics.
std::vector<Setting> topic_settings() {
  return {
      with_flag(text("brokers", at(&Config::brokers), kBrokers,
                     "Kafka brokers to begin with, HOST:PORT, several with commas"),
                "--brokers"),
      kafka_extra(),
      text("topics.input", at(&Config::topics, &TopicNames::input), kTopic,
           "The topic of events as they come"),
      choice("input.partitioned_by", at(&Config::partitioned_by),
             std::vector<std::pair<std::string_view, PartitionedBy>>{
                 {"auto", PartitionedBy::automatic},
                 {"device", PartitionedBy::device},
                 {"none", PartitionedBy::none}},
             "Whether all records of a device are in one partition of the input topic; none: they "
             "are not, and Dwell first copies each to the partition of its device; auto: they are "
             "where the topic has one partition"),
      choice("input.keys", at(&Config::keys),
             std::vector<std::pair<std::string_view, KeyForm>>{{"as_is", KeyForm::as_is},
                                                               {"mapped", KeyForm::mapped}},
             "What producers that partition by device have as keys: the id as it stands in the "
             "record, or what input.device_id and input.device_id_case make of it"),
      text("topics.keyed", at(&Config::topics, &TopicNames::keyed), kTopic,
           "The topic of events by device, between an input that is not partitioned by device and "
           "the rule"),
      text("topics.cleaned", at(&Config::topics, &TopicNames::cleaned), kTopic,
           "The topic of accepted events"),
      text("topics.state", at(&Config::topics, &TopicNames::state), kTopic,
           "The compacted topic of device states"),
      text("topics.rejected", at(&Config::topics, &TopicNames::rejected), kTopic,
           "The topic of unusable records"),
  };
}

// Of the processes that share the topics, and of `dwell clean`.
std::vector<Setting> clean_settings() {
  return {
      text("instance.id", at(&Config::instance_id), kInstance,
           "The name of this process in its group, the same at every start; auto: made from the "
           "names of host and folder"),
      text("instance.folder", at(&Config::instance_folder), kPath,
           "Where the lock file is that keeps two processes from one instance.id"),
      text("clean.group", at(&Config::group), kGroup,
           "The consumer group that shares the input's partitions"),
      count("clean.threads", at(&Config::clean_threads), 1, 64,
            "How many members of the group this process runs"),
      duration("clean.session_timeout", at(&Config::session_timeout), kShortestTimeout,
               "How long the group waits for a silent member before it gives the member's "
               "partitions to others"),
      duration(
          "clean.transaction_timeout",
          at(&Config::committer, &KafkaCommitterOptions::transaction_timeout), kShortestTimeout,
          "How long a transaction may last; readers wait that long for one whose process has died"),
      text("clean.listen", at(&Config::clean_listen), kAddressOrOff,
           "The address to serve /livez, /readyz and /metrics of `clean` on; off: nowhere"),
      count("checkpoint.records",
            at(&Config::committer, &KafkaCommitterOptions::checkpoints, &CheckpointLimits::records),
            1, 1'000'000'000, "How many records at most a restart folds again"),
      count("checkpoint.devices",
            at(&Config::committer, &KafkaCommitterOptions::checkpoints, &CheckpointLimits::devices),
            1, 10'000'000, "How many changed devices make a checkpoint due"),
      bytes("checkpoint.bytes",
            at(&Config::committer, &KafkaCommitterOptions::checkpoints, &CheckpointLimits::bytes),
            64 << 10, 4ull << 30, "How many bytes of their states, about, make a checkpoint due"),
      duration(
          "checkpoint.interval",
          at(&Config::committer, &KafkaCommitterOptions::checkpoints, &CheckpointLimits::interval),
          Milliseconds{1}, "How long after a checkpoint the next one is due"),
      duration("checkpoint.idle",
               at(&Config::committer, &KafkaCommitterOptions::checkpoints, &CheckpointLimits::idle),
               Milliseconds{1}, "How long without records before a checkpoint is made"),
  };
}

// Of PostgreSQL, and of `dwell store` and `dwell serve`.
std::vector<Setting> database_settings() {
  return {
      secret(text("database.url", at(&Config::database_url), kUrl,
                  "The PostgreSQL database, postgresql://USER:PASSWORD@HOST:PORT/NAME or what else "
                  "libpq takes; default: what PGHOST, PGUSER and the like say. Everybody on the "
                  "machine sees flags: give it in the file or the environment")),
      choice("database.migrate", at(&Config::database_migrate),
             std::vector<std::pair<std::string_view, bool>>{{"yes", true}, {"no", false}},
             "Whether Dwell brings the database up to the layout of this release at the start"),
      limit("database.retention", at(&Config::upkeep, &UpkeepOptions::retention),
            "Delete rows older than this; of a hypertable, drop whole chunks"),
      limit("database.compress_after", at(&Config::upkeep, &UpkeepOptions::compress_after),
            "Compress the chunks of a hypertable that are older than this"),
      duration("database.upkeep_every", at(&Config::upkeep_every), Milliseconds(100),
               "How often Dwell looks for old rows"),
      text("store.group", at(&Config::store_group), kGroup,
           "The consumer group that shares the cleaned topic's partitions"),
      count("store.threads", at(&Config::store_threads), 1, 64,
            "How many members of the group this process runs, each with a connection"),
      text("store.listen", at(&Config::store_listen), kAddressOrOff,
           "The address to serve /livez, /readyz and /metrics of `store` on; off: nowhere"),
      count("serve.connections", at(&Config::serve_connections), 1, 256,
            "How many connections to PostgreSQL answer questions"),
      duration("serve.timeout", at(&Config::serve_timeout), Milliseconds(100),
               "How long a question may take; then Dwell cancels it"),
  };
}

// Of what a process tells of itself, besides what OTEL_* variables say.
std::vector<Setting> telemetry_settings() {
  return {
      duration("ready.stalled_after", at(&Config::stalled_after), Milliseconds(100),
               "A stage that commits nothing for so long, while more records come, is not ready"),
      choice("telemetry.device_ids", at(&Config::names_devices),
             std::vector<std::pair<std::string_view, bool>>{{"no", false}, {"yes", true}},
             "Whether spans of records name their device in dwell.device_id"),
  };
}

// Of the log of `dwell run`, `clean`, `store` and `serve`.
std::vector<Setting> log_settings() {
  return {
      choice(
          "log.format", at(&Config::log, &LogOptions::format),
          std::vector<std::pair<std::string_view, LogFormat>>{
              {"auto", LogFormat::automatic}, {"text", LogFormat::text}, {"json", LogFormat::json}},
          "Whether the log is text or one JSON object a line; auto: text on a terminal, json "
          "elsewhere"),
      choice(
          "log.level", at(&Config::log, &LogOptions::level),
          std::vector<std::pair<std::string_view, LogLevel>>{{"debug", LogLevel::debug},
                                                             {"info", LogLevel::info},
                                                             {"warning", LogLevel::warning},
                                                             {"error", LogLevel::error}},
          "The log has the lines of this level and of graver ones; while a process runs, SIGUSR1 "
          "switches to debug and back"),
  };
}

std::vector<Setting> make_settings() {
  std::vector<Setting> all;
  for (const auto make :
       {file_settings, rule_settings, input_settings, http_settings, topic_settings, clean_settings,
        database_settings, log_settings, telemetry_settings}) {
    for (Setting& setting : make()) all.push_back(std::move(setting));
  }
  return all;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row.back();
}

}  // namespace

std::string Setting::environment() const {
  std::string name = "DWELL_" + key;
  for (char& c : name) c = c == '.' ? '_' : static_cast<char>(std::toupper(c));
  return name;
}

std::string Setting::key_of(std::string_view variable) const {
  const auto name = environment();
  if (!is_family) return variable == name ? key : "";
  const auto before = name.substr(0, name.size() - 4);
  if (!variable.starts_with(before) || variable.size() == before.size()) return "";
  std::string member(variable.substr(before.size()));
  for (char& c : member) c = c == '_' ? '.' : static_cast<char>(std::tolower(c));
  return std::string(family()) + member;
}

bool Setting::has_legal_name(std::string_view key) const {
  const auto name = key.substr(family().size());
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
  });
}

const std::vector<Setting>& settings() {
  static const std::vector<Setting> all = make_settings();
  return all;
}

const Setting* find_setting(std::span<const Setting> all, std::string_view key) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const Setting& s) {
    if (!s.is_family) return s.key == key;
    return key.starts_with(s.family()) && key.size() > s.family().size();
  });
  return found == all.end() ? nullptr : &*found;
}

std::string nearest(std::span<const std::string> all, std::string_view text, std::size_t most) {
  std::string nearest;
  std::size_t least = most + 1;
  for (const std::string& one : all) {
    const auto distance = edit_distance(one, text.substr(0, 100));
    if (distance < least) {
      least = distance;
      nearest = one;
    }
  }
  return nearest;
}

std::string nearest_key(std::span<const Setting> all, std::string_view text) {
  std::vector<std::string> keys;
  for (const Setting& setting : all) keys.push_back(setting.key);
  return nearest(keys, text, text.size() / 2);
}

std::string nearest_variable(std::span<const Setting> all, std::string_view text) {
  constexpr std::size_t kPrefix = 6;  // DWELL_
  std::vector<std::string> names;
  for (const Setting& setting : all) names.push_back(setting.environment());
  return nearest(names, text, (text.size() - std::min(kPrefix, text.size())) / 2);
}

std::map<std::string, std::string> deciding_values(const Config& config) {
  std::map<std::string, std::string> values;
  for (const Setting& setting : settings()) {
    if (setting.decides) values.emplace(setting.key, setting.show(config));
  }
  return values;
}

std::map<std::string, std::string> fact_values(const Config& config) {
  auto values = deciding_values(config);
  std::erase_if(values, [](const auto& value) {
    return std::find(kFacts.begin(), kFacts.end(), value.first) == kFacts.end();
  });
  return values;
}

std::string settings_page(std::span<const Setting> all) {
  const Config defaults;
  std::string page =
      "| TOML key | environment | flag | default | takes | meaning |\n"
      "|---|---|---|---|---|---|\n";
  for (const Setting& setting : all) {
    page +=
        fmt::format("| `{}` | `{}` | `{}` | `{}` | {} | {} |\n", setting.key, setting.environment(),
                    setting.flag, setting.show(defaults), setting.expected, setting.help);
  }
  return page;
}

}  // namespace dwell
