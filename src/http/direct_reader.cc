#include "http/direct_reader.h"

#include "base/on_worker.h"

namespace dwell {

namespace asio = boost::asio;

asio::awaitable<Result<std::vector<Row>>> DirectReader::timeline(const TimelineQuery& query) {
  auto answer = reader_.timeline(query);
  if (!answer) on_error_(answer.error());
  co_return answer;
}

asio::awaitable<Result<PresencePage>> DirectReader::presence(const PresenceQuery& query) {
  auto answer = co_await on_worker(workers_, [&] { return slow_reader_.presence(query); });
  if (!answer) on_error_(answer.error());
  co_return answer;
}

asio::awaitable<Result<std::optional<DeviceReport>>> DirectReader::device(const std::string& id) {
  auto answer = reader_.device(id);
  if (!answer) on_error_(answer.error());
  co_return answer;
}

}  // namespace dwell
