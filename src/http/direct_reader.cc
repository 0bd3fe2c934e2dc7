#include "http/direct_reader.h"

#include "base/on_worker.h"

namespace dwell {

namespace asio = boost::asio;

asio::awaitable<Result<std::vector<Row>>> DirectReader::timeline(const TimelineQuery& query) {
  co_return reader_.timeline(query);
}

asio::awaitable<Result<PresencePage>> DirectReader::presence(const PresenceQuery& query) {
  co_return co_await on_worker(workers_, [&] { return slow_reader_.presence(query); });
}

asio::awaitable<Result<std::optional<DeviceReport>>> DirectReader::device(const std::string& id) {
  co_return reader_.device(id);
}

}  // namespace dwell
