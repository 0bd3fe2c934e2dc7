#pragma once

#include <optional>
#include <string>
#include <vector>

#include "http/wire/request_head.h"

namespace dwell {

// Whom a server takes a request from, where its only protection is that others cannot reach it: a
// browser on the same machine can, for any page it shows. See docs/decisions/0018.
class KnownHosts {
 public:
  KnownHosts() = default;
  // `named`: names that clients may call the server by besides its own. Whether its address is a
  // loopback one: then it is never called by another name.
  KnownHosts(std::vector<std::string> named, bool is_loopback);

  // The answer to a request that is not for this server (421) or comes from a foreign page (403).
  std::optional<Reply> find_stranger(const RequestHead& head) const;

 private:
  bool knows(std::string_view name) const;
  bool is_named(std::string_view name) const;

  std::vector<std::string> named_;  // in lower case, as is own_name_
  std::string own_name_;
  bool is_strict_ = false;
};

}  // namespace dwell
