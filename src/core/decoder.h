#pragma once

#include <array>
#include <deque>
#include <optional>
#include <simdjson.h>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/member_tree.h"
#include "core/record.h"
#include "core/rule.h"

namespace dwell {

// What one record says, before the rule is asked.
struct Decoded {
  // `accepted`: `event` is usable and the rule decides; else what became of the record.
  Outcome outcome;
  Event event;                    // of invalid_timestamp and past_timestamp, its device and type
  std::string_view ignored_type;  // of a type that has no name in the mapping: it, unescaped
};

// One of the members that make an event, as it stands in a record.
struct MemberReading {
  std::string_view name;    // device_id, event_type or timestamp
  std::string place = {};   // where it is, as the mapping writes places; empty: it is missing
  std::string found = {};   // the raw tokens that are there, joined by ", "
  std::string value = {};   // as it is read: the id, the type's wire name, the time in RFC 3339
  std::string reason = {};  // why there is no value, in the words of explain()
};

// Reads one event: a JSON object (RFC 8259) with the id of a device, an event type and a time,
// where the rule's mapping says. Other members are ignored, order is free, the last of duplicate
// members wins. The whole record must be valid JSON, nested at most kDeepestNesting. Any bytes are
// safe input.
//
// Under rule 1 the members are `device_id`, `event_type` and `timestamp` of the record itself, and
// times are milliseconds or RFC 3339 to the letter. See docs/formats.md, "Input records".
//
// The views in a Decoded point into the record, or into this decoder until the next reset(). Keeps
// one scratch buffer as large as the largest record seen. Not thread-safe.
class Decoder {
 public:
  static constexpr int kDeepestNesting = 64;

  explicit Decoder(const Rule& rule);

  // Of events as POST documents them, whatever a rule says: deviceID, eventType and timestamp, an
  // id that is a text, a time in RFC 3339 to the letter. Types other than enter and exit are
  // decoded as well, with `ignored_type`.
  static Decoder of_posts() { return Decoder(posted_form()); }

  Decoded decode(const Record& record);

  // Why decode() refuses a record: the member, what was found and what was expected, in one line;
  // empty for a record that it does not refuse.
  std::string explain(const Record& record);

  // What decode() reads of each member, whatever the others are, for people: device_id, event_type
  // and, unless times are those of receipt, timestamp. Empty where explain() blames no member.
  std::vector<MemberReading> inspect(const Record& record);

  // Of the record that explain() has put into words: device_id, event_type or timestamp; empty when
  // it is no JSON object.
  std::string_view member_at_fault() const { return fault_.member; }

  // Whether the last record had all three members, whatever their values.
  bool has_all_members() const;

  // Forgets the strings kept for earlier records.
  void reset() { kept_.clear(); }

 private:
  // What a record looks like.
  struct Form {
    Form(const Mapping& mapping, const TimeFormat& time, bool has_envelope);

    Mapping mapping;
    TimeFormat time;
    MemberTree tree;
    std::vector<NameText> enter;  // of the mapping
    std::vector<NameText> exit;
    std::optional<EventType> any_other;  // what every type without a name of its own is
    bool is_type_text;                   // else true, false and numbers may be types too
    bool takes_numbers = true;           // as times
  };

  // The names found in the last plain record of a form, in its order; null where nobody asks for
  // one. They belong to one decoder's trees: a copy has none.
  struct UsualNames {
    UsualNames() = default;
    UsualNames(const UsualNames&) : UsualNames() {}
    UsualNames& operator=(const UsualNames&) = delete;

    std::array<const MemberTree::Name*, 8> names{};
  };

  // What explain() puts into words.
  struct Fault {
    std::string_view member;
    std::string_view found;  // its raw token; empty: it is missing
    std::string reason;
  };

  explicit Decoder(const Form& form);
  static Form posted_form();

  Outcome read(const Record& record, Decoded& decoded);
  bool find_members(const Record& record, FoundMembers& members);
  // The first way that can be gone with the slots in `found`; null when there is none.
  static const MemberTree::Way* way_found(const std::vector<MemberTree::Way>& ways,
                                          std::uint64_t found);
  bool read_plain_members(std::string_view bytes, FoundMembers& members);
  bool read_any_members(std::string_view bytes, FoundMembers& members);
  bool read_object(simdjson::ondemand::object object, unsigned level, int depth);
  bool read_array(simdjson::ondemand::array array, unsigned level, int depth);
  bool read_value(simdjson::ondemand::value value, const MemberTree::Name* wanted, int depth);
  bool find_name(simdjson::ondemand::field& field, unsigned level, const MemberTree::Name*& found);
  bool is_valid(simdjson::ondemand::value value, int depth);
  bool is_valid_scalar(std::string_view raw);
  bool text_of(std::string_view token, std::string_view& text);
  bool unescape(std::string_view token, std::string_view& text);
  Outcome type_of(std::string_view token, Decoded& decoded);
  Outcome device_id_of(const FoundMembers& members, unsigned base, std::string_view& id);
  bool id_text_of(std::string_view token, std::string_view& text);
  void lower(std::string_view& id);
  Outcome timestamp_of(std::string_view token, Timestamp& timestamp);
  Outcome refuse(Outcome outcome, std::string_view member, std::string_view found,
                 std::string_view reason);
  const std::vector<std::string>& places_of(std::string_view member) const;
  std::string words_of_fault() const;

  const bool is_rule_1_;
  const ClockSource clock_source_;
  const Form mapped_;            // as the settings say
  const Form documented_;        // of the records that Dwell itself writes
  const Form* form_ = &mapped_;  // of the record at hand
  UsualNames usual_mapped_;
  UsualNames usual_documented_;
  bool explains_ = false;  // explain() asks
  Fault fault_;
  bool is_plain_ = false;    // the record at hand is ASCII without escapes
  std::uint64_t found_ = 0;  // of the members of the last record
  simdjson::ondemand::parser parser_;
  std::vector<char> scratch_;
  std::string_view bytes_;           // the record that is in scratch_
  FoundMembers* members_ = nullptr;  // what is found in it
  std::deque<std::string> kept_;     // strings of this batch that stand in no record as they are
};

// True for valid UTF-8 without the control characters U+0000-001F and U+007F-009F.
bool is_plain_text(std::string_view text);

// True for plain text of 1 to kLongestDeviceId bytes.
bool is_valid_device_id(std::string_view id);

}  // namespace dwell
