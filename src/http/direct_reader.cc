#include "http/direct_reader.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace dwell {

namespace asio = boost::asio;

asio::awaitable<Result<std::vector<Row>>> DirectReader::timeline(const TimelineQuery& query) {
  co_return reader_.timeline(query);
}

asio::awaitable<Result<PresencePage>> DirectReader::presence(const PresenceQuery& query) {
  auto ask = [this, &query]() -> asio::awaitable<Result<PresencePage>> {
    co_return slow_reader_.presence(query);
  };
  co_return co_await asio::co_spawn(workers_, ask, asio::use_awaitable);
}

asio::awaitable<Result<std::optional<DeviceReport>>> DirectReader::device(const std::string& id) {
  co_return reader_.device(id);
}

}  // namespace dwell
