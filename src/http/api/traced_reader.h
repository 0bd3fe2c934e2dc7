#pragma once

#include <string>
#include <string_view>

#include "http/wire/router.h"
#include "ports/row_reader.h"
#include "telemetry/tracer.h"

namespace dwell {

// Asks another reader for one request, and records each page, and each moment, as a span below that
// of the request. Only for a request that is traced.
class TracedReader final : public RowReader {
 public:
  // `system` as in the attribute db.system.name; it lives for ever. Borrows the reader.
  TracedReader(RowReader& reader, const Tracer& tracer, std::string_view system,
               const Request& request)
      : reader_(reader), tracer_(tracer), system_(system), traceparent_(request.traceparent) {}

  boost::asio::awaitable<Result<void>> scan(const Scan& scan, ScanPage& page) override;
  // The span ends with the view.
  boost::asio::awaitable<Result<std::unique_ptr<RowView>>> view(
      const DeviceRange& devices) override;

 private:
  class View;
  class Question;

  RowReader& reader_;
  const Tracer tracer_;
  const std::string_view system_;
  const std::string traceparent_;
};

}  // namespace dwell
