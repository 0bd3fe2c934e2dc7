#pragma once

#include <optional>

#include "base/timestamp.h"
#include "postgres/connection.h"
#include "postgres/upkeep_options.h"

namespace dwell {

struct UpkeepReport {
  std::int64_t dropped_rows = 0;
  std::int64_t compressed_chunks = 0;
};

// Drops and compresses as of `now`. Rows of a plain table go one by one, those of a hypertable by
// whole chunks; either way they are counted, and how far it went is kept, in the same transaction.
// Does nothing while another process is at it. Compressing needs a hypertable. Errors: those of
// PgConnection.
Result<UpkeepReport> apply_retention(PgConnection& database, const UpkeepOptions& options,
                                     Timestamp now);

}  // namespace dwell
