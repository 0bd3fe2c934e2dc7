#pragma once

#include <optional>
#include <string>

#include "kafka/client/client.h"
#include "ports/traced_record.h"
#include "telemetry/tracer.h"

namespace dwell {

// The span that the work of `stage` on a record of `topic` will be; empty where it is not recorded.
// Below a parent it is the same at each try: a record that is read again after a crash gives no
// other one. The outcome is the caller's.
std::optional<TracedRecord> trace_of_record(const Tracer& tracer, std::string_view stage,
                                            const std::string& topic,
                                            const rd_kafka_message_t& message);

// Hands the trace of a message on: `own` in the place of its traceparent, where there is one, and
// all else as it came.
void pass_trace(const rd_kafka_message_t& message, const std::optional<TraceContext>& own,
                rd_kafka_headers_t* headers);

}  // namespace dwell
