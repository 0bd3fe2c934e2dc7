#include "app/commands/sample.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "app/commands/line_numbers.h"
#include "app/process/system_clock.h"
#include "app/settings/units.h"
#include "app/terminal/output.h"
#include "base/printable.h"
#include "core/fold.h"
#include "core/reject_reason.h"
#include "file/file_source.h"

namespace dwell {
namespace {

constexpr std::size_t kColumns = 60;      // of a value in the feed
constexpr std::size_t kMostMembers = 40;  // that are listed
constexpr std::size_t kMostTypes = 20;    // the same

struct Sampled {
  std::string place;  // FILE:LINE, or FILE@OFFSET where lines cannot be told
  Offset offset;
  std::optional<std::uint64_t> line;
  Outcome outcome;     // before the event is compared with others of its device
  std::string detail;  // why it is rejected
  std::vector<MemberReading> members;
};

// The members of an object that hold a value, as pointers, a line each.
class MemberList {
 public:
  void add(const boost::json::value& value, const std::string& pointer) {
    if (const auto* object = value.if_object()) {
      for (const auto& [name, inner] : *object) add(inner, pointer + '/' + escaped(name));
    } else if (const auto* array = value.if_array()) {
      for (std::size_t i = 0; i < array->size() && count_ <= kMostMembers; ++i) {
        add((*array)[i], fmt::format("{}/{}", pointer, i));
      }
    } else if (++count_ <= kMostMembers) {
      text_ += fmt::format("  {}  {}\n", printable(pointer, kColumns),
                           printable(boost::json::serialize(value), kColumns));
    }
  }
  std::string text() const { return text_ + (count_ > kMostMembers ? "  and more\n" : ""); }

 private:
  static std::string escaped(std::string_view name) {
    std::string text;
    for (const char c : name) {
      if (c == '~') {
        text += "~0";
      } else if (c == '/') {
        text += "~1";
      } else {
        text += c;
      }
    }
    return text;
  }

  std::string text_;
  std::size_t count_ = 0;
};

// Empty for what is no object.
std::string members_of(std::string_view record) {
  boost::json::parse_options options;
  options.max_depth = Decoder::kDeepestNesting;
  boost::system::error_code error;
  const auto value = boost::json::parse(record, error, {}, options);
  if (error || !value.is_object()) return "";
  MemberList list;
  list.add(value, "");
  return list.text();
}

// Looks at records one by one and remembers what it saw.
class SampleReader {
 public:
  SampleReader(const Rule& rule, const FileSource& source)
      : rule_(rule), source_(source), decoder_(rule), reasons_(rule) {}

  void look_at(const Record& record) {
    if (sampled_.empty()) first_members_ = members_of(record.bytes);
    decoder_.reset();
    Sampled sampled;
    const Decoded decoded = decoder_.decode(record);
    sampled.outcome = decoded.outcome;
    if (decoded.outcome == Outcome::accepted) {
      sampled.outcome = check_clock(decoded.event, record.now, rule_);
    }
    if (sampled.outcome == Outcome::accepted) ++usable_;
    if (sampled.outcome == Outcome::ignored) note_type(decoded.ignored_type);
    if (is_rejected(sampled.outcome)) sampled.detail = reasons_.explain(record, sampled.outcome);
    sampled.members = decoder_.inspect(record);
    sampled.offset = record.offset;
    if (source_.has_position() && !source_.is_packed()) {
      sampled.line = lines_.line_of(source_.name(), record.offset, {});
    }
    const auto& path = source_.name();
    const auto file = printable(std::string_view(path).substr(path.find_last_of('/') + 1));
    sampled.place = sampled.line ? fmt::format("{}:{}", file, *sampled.line)
                                 : fmt::format("{}@{}", file, record.offset);
    sampled_.push_back(std::move(sampled));
  }

  std::size_t size() const { return sampled_.size(); }
  std::size_t usable() const { return usable_; }
  const std::vector<Sampled>& sampled() const { return sampled_; }
  bool takes_time_of_receipt() const { return rule_.clock_source == ClockSource::received; }

  // What may help when no record can be used.
  std::string hints() const {
    std::string text;
    if (!ignored_types_.empty()) {
      text += fmt::format(
          "event types that are ignored: {}; input.enter and input.exit say which ones count\n",
          fmt::join(ignored_types_, ", "));
    }
    if (!first_members_.empty()) {
      text +=
          "what the first record has, for input.device_id, input.event_type and "
          "input.timestamp:\n" +
          first_members_;
    }
    return text;
  }

 private:
  void note_type(std::string_view type) {
    auto shown = fmt::format("\"{}\"", printable(type, kColumns));
    const bool is_known =
        std::find(ignored_types_.begin(), ignored_types_.end(), shown) != ignored_types_.end();
    if (!is_known && ignored_types_.size() < kMostTypes) ignored_types_.push_back(std::move(shown));
  }

  const Rule& rule_;
  const FileSource& source_;
  Decoder decoder_;
  RejectReasons reasons_;
  LineNumbers lines_;
  std::vector<Sampled> sampled_;
  std::size_t usable_ = 0;
  std::vector<std::string> ignored_types_;  // in quotes, in the order of their appearance
  std::string first_members_;
};

std::string text_of(const Sampled& sampled, bool takes_time_of_receipt) {
  const bool is_told_by_member =
      std::any_of(sampled.members.begin(), sampled.members.end(),
                  [](const MemberReading& member) { return !member.reason.empty(); });
  auto text = fmt::format("{}: {}", sampled.place, name(sampled.outcome));
  if (!is_told_by_member && !sampled.detail.empty()) text += ": " + sampled.detail;
  text += '\n';
  std::size_t width = 1;
  for (const auto& member : sampled.members) width = std::max(width, member.place.size());
  for (const auto& member : sampled.members) {
    const auto read =
        member.reason.empty()
            ? fmt::format("{} -> {}", printable(member.found, kColumns), printable(member.value))
            : member.reason;
    text += fmt::format("  {:<10}  {:<{}}  {}\n", member.name,
                        member.place.empty() ? "-" : member.place, width, read);
  }
  if (takes_time_of_receipt && !sampled.members.empty()) {
    text += "  timestamp   that of the receipt: clock.source = received\n";
  }
  return text;
}

boost::json::object json_of(const Sampled& sampled) {
  boost::json::object members;
  for (const auto& member : sampled.members) {
    boost::json::object one;
    if (!member.place.empty()) {
      one["place"] = member.place;
      one["found"] = printable(member.found, kColumns);
    }
    if (member.reason.empty()) {
      one["value"] = member.value;
    } else {
      one["reason"] = member.reason;
    }
    members[member.name] = std::move(one);
  }
  boost::json::object record{{"offset", sampled.offset}, {"outcome", name(sampled.outcome)}};
  if (sampled.line) record["line"] = *sampled.line;
  if (!sampled.detail.empty()) record["detail"] = sampled.detail;
  record["members"] = std::move(members);
  return record;
}

Result<void> print_report(const SampleReader& reader, Format format) {
  if (format == Format::json) {
    boost::json::array records;
    for (const Sampled& sampled : reader.sampled()) records.push_back(json_of(sampled));
    return print_document(
        boost::json::object{{"records", std::move(records)}, {"usable", reader.usable()}});
  }
  std::string text;
  for (const Sampled& sampled : reader.sampled()) {
    text += text_of(sampled, reader.takes_time_of_receipt());
  }
  if (reader.usable() == 0) {
    text += reader.hints();
  } else {
    text += fmt::format("{} of {} records can be used\n", format_count(reader.usable()),
                        format_count(reader.size()));
  }
  return print(text);
}

}  // namespace

Result<void> check_sample(const Config& config, const SampleArguments& arguments) {
  SystemClock clock;
  FileLimits limits = config.limits;
  limits.batch_records = arguments.records;
  auto opened =
      FileSource::open(arguments.file, limits, clock, Reading::to_end, config.rule.mapping);
  if (!opened) return pass(opened);
  FileSource& source = **opened;
  if (auto sought = source.seek(0, {}); !sought) return sought;
  SampleReader reader(config.rule, source);
  Result<void> read;
  bool is_at_end = false;
  while (reader.size() < arguments.records && !is_at_end) {
    const auto batch = source.poll();
    if (!batch) {
      read = pass(batch);
      break;
    }
    const auto records = batch->single().records;
    const auto room = std::min<std::size_t>(arguments.records - reader.size(), records.size());
    for (const Record& record : records.first(room)) reader.look_at(record);
    is_at_end = batch->is_last;
  }
  if (reader.size() > 0) {
    if (auto printed = print_report(reader, arguments.format); !printed) return printed;
  }
  if (!read) return read;
  for (const std::string& remark : source.remarks()) tell(fmt::format("dwell: {}\n", remark));
  if (reader.size() == 0) return fail(ErrorKind::fatal, "{}: has no records", arguments.file);
  if (reader.usable() > 0) return {};
  return fail(ErrorKind::fatal, "{}: none of {} records can be used", arguments.file,
              format_count(reader.size()));
}

}  // namespace dwell
