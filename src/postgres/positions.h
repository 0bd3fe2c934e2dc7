#pragma once

#include <string_view>

#include "ports/store_slices.h"
#include "postgres/connection.h"

namespace dwell {

// The columns `cluster`, `next` and `further` of one partition in a table of positions, which
// begins at `start` where it is not there yet. Gives exactly one row. Errors: those of
// PgConnection, lost_ownership (it was deleted meanwhile).
Result<PgResult> begin_position(PgConnection& database, std::string_view table,
                                const StorePosition& start, std::string_view further = "");

}  // namespace dwell
