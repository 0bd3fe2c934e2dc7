// bench_fixed_body: serves a fixed JSON body of 4 kB on a free port, whatever is asked for. The
// floor under `dwell run`: the same server on one thread, with nothing to look up or to write out.

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdio>
#include <fmt/format.h>
#include <string>

#include "http/wire/server.h"

namespace {

constexpr std::size_t kBodyBytes = 4'000;

boost::asio::awaitable<dwell::Routed> reply_with(const std::string& body) {
  dwell::Reply reply;
  reply.body = body;
  co_return dwell::Routed("/", std::move(reply));
}

}  // namespace

int main() {
  const std::string body = fmt::format("{{\"events\":[\"{:x^{}}\"]}}\n", "", kBodyBytes - 16);
  boost::asio::io_context context(1);
  dwell::Server server(
      context, [&body](const dwell::Request&) { return reply_with(body); }, {},
      [](std::string_view, dwell::Status, std::chrono::nanoseconds) {});
  if (auto listening = server.listen("127.0.0.1:0"); !listening) {
    std::fprintf(stderr, "%s\n", listening.error().message.c_str());
    return 1;
  }
  std::fprintf(stderr, "serving a fixed body on http://%s\n", server.address().c_str());
  boost::asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&context](const boost::system::error_code&, int) { context.stop(); });
  context.run();
}
