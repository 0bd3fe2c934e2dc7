# build/PRESET/libdwell_otlp.so, which `dwell` loads once an OTLP endpoint is set. Without
# OpenTelemetry's SDK (Debian: opentelemetry-cpp-dev) it is left out, and said so once.
find_path(opentelemetry_include opentelemetry/exporters/otlp/otlp_grpc_metric_exporter_factory.h)
set(otlp_libraries "")
foreach(name exporter_otlp_http exporter_otlp_http_log exporter_otlp_http_metric exporter_otlp_grpc
             exporter_otlp_grpc_log exporter_otlp_grpc_metrics trace logs metrics resources common)
  find_library(opentelemetry_${name} opentelemetry_${name})
  list(APPEND otlp_libraries ${opentelemetry_${name}})
endforeach()
if(NOT opentelemetry_include OR "${otlp_libraries}" MATCHES "NOTFOUND")
  message(STATUS "OTLP is left out: OpenTelemetry's SDK is missing (opentelemetry-cpp-dev)")
  return()
endif()

add_library(dwell_otlp MODULE telemetry/otlp/exporter.cc)
set_target_properties(dwell_otlp PROPERTIES
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR} CXX_VISIBILITY_PRESET hidden)
target_include_directories(dwell_otlp PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_include_directories(dwell_otlp SYSTEM PRIVATE ${opentelemetry_include})
# It works beside what it serves, batch by batch.
target_compile_options(dwell_otlp PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1>)
target_link_libraries(dwell_otlp PRIVATE prometheus-cpp::core ${otlp_libraries})
