#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dwell {

// Whether a text can be what a setting is about, so that a wrong one is found when settings are
// read and not when they are first used.

// The name of a file or folder: not empty, without a zero byte, short enough for the system.
bool is_path(std::string_view text);
// What Server::listen() takes, as in 127.0.0.1:8080.
bool is_listen_address(std::string_view text);
// HOST:PORT, HOST or PROTOCOL://HOST:PORT, several with commas.
bool is_broker_list(std::string_view text);
// As Kafka wants topics and instances: 1 to `longest` letters, digits, dots, dashes and
// underscores of ASCII, and not . or ..
bool is_kafka_name(std::string_view text, std::size_t longest);
// A consumer group: 1 to 200 bytes of printable text.
bool is_group_name(std::string_view text);

// Places of one member in a record, and names of event types; see core/mapping.h.
bool are_places(const std::vector<std::string>& all);
bool are_id_places(const std::vector<std::string>& all);
bool are_type_names(const std::vector<std::string>& all);

}  // namespace dwell
