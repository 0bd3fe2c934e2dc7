#include "postgres/positions.h"

namespace dwell {

Result<PgResult> begin_position(PgConnection& database, std::string_view table,
                                const StorePosition& start, std::string_view further) {
  PgParameters place;
  place.text(start.topic).integer(std::int64_t{start.partition});
  PgParameters begin = place;
  begin.text(start.cluster).integer(start.next);
  auto begun = database.run(fmt::format("INSERT INTO {} (topic, partition, cluster, next) "
                                        "VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                                        table),
                            begin);
  if (!begun) return begun;
  auto row = database.run(fmt::format("SELECT cluster, next{}{} FROM {} "
                                      "WHERE topic = $1 AND partition = $2",
                                      further.empty() ? "" : ", ", further, table),
                          place);
  if (row && row->rows() != 1) {
    return fail(ErrorKind::lost_ownership, "database {}: the position of {}/{} was deleted",
                database.name(), start.topic, start.partition);
  }
  return row;
}

}  // namespace dwell
