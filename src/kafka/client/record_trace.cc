#include "kafka/client/record_trace.h"

namespace dwell {

std::optional<TracedRecord> trace_of_record(const Tracer& tracer, std::string_view stage,
                                            const std::string& topic,
                                            const rd_kafka_message_t& message) {
  TracedRecord traced;
  const auto own =
      tracer.begin(tracer.settings().records, header_of(message, kTraceParent), traced.parent);
  if (!own) return {};
  traced.own = *own;
  if (traced.parent != TraceContext()) {
    traced.own.span = span_of(
        own->trace, fmt::format("{} {}/{}@{}", stage, topic, message.partition, message.offset));
  }
  traced.partition = message.partition;
  traced.offset = message.offset;
  if (tracer.settings().names_devices) traced.device = bytes_of(message.key, message.key_len);
  return traced;
}

void pass_trace(const rd_kafka_message_t& message, const std::optional<TraceContext>& own,
                rd_kafka_headers_t* headers) {
  if (own) {
    add_header(headers, kTraceParent, format_traceparent(*own));
  } else {
    pass_header(message, kTraceParent, headers);
  }
  pass_header(message, kTraceState, headers);
}

}  // namespace dwell
