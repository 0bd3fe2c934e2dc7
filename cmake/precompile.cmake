# The headers of other libraries that most files of a room include are compiled once. A file
# still includes what it uses.
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/nothing.cc CONTENT "")
#   precompile(app_pch HEADERS <vector> LINK fmt::fmt), then
#   target_precompile_headers(dwell_roles REUSE_FROM app_pch)
function(precompile name)
  cmake_parse_arguments(ARG "" "" "HEADERS;LINK" ${ARGN})
  add_library(${name} OBJECT ${PROJECT_BINARY_DIR}/nothing.cc)
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
endfunction()

set(plain_headers <algorithm> <array> <chrono> <cstdint> <filesystem> <functional> <map> <memory>
                  <optional> <span> <string> <string_view> <vector> <fmt/format.h>
                  <tl/expected.hpp>)
set(asio_headers <boost/asio/awaitable.hpp> <boost/asio/co_spawn.hpp> <boost/asio/detached.hpp>
                 <boost/asio/io_context.hpp> <boost/asio/steady_timer.hpp>
                 <boost/asio/use_awaitable.hpp>)
