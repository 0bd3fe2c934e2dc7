#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "core/record.h"
#include "core/rule.h"
#include "core/totals.h"

namespace dwell {

// Version 1 is that of rule 1.
inline constexpr unsigned char kMarkerVersion = 2;
// The key of a marker; no device id begins with it.
inline constexpr std::string_view kMarkerKey{"\0", 1};

// The end of a checkpoint: which records of the input are folded into the states before it, and
// how. One in each partition of the state topic; byte by byte in docs/formats.md ("Marker").
struct Marker {
  Rule rule;                     // its version may be one that this binary lacks
  std::string tzdata;            // its version, where the rule has a time zone
  std::size_t record_bytes = 0;  // input.max_record; 0 under rule 1: not told
  std::string cluster;           // id of the cluster
  std::string topic;             // of the input
  Offset next = 0;               // of the input: the first record that is not folded
  Totals totals;
  std::uint64_t devices = 0;
};

// With the version of tzdata that this process has.
void encode_marker(const Marker& marker, std::string& out);

// Fails with `fatal` when the record is damaged, of a format this binary does not read, or of a
// time zone that this machine does not know. Whether the rule version is this binary's is for the
// caller to look at.
Result<Marker> decode_marker(std::string_view record);

}  // namespace dwell
