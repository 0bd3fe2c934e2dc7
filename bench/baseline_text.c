/*
 * bench_baseline_text ROWS DATABASE: the least a program does that keeps a timeline in SQLite the
 * obvious way: text keys, durable transactions of 10,000 rows; only its cache is as large as
 * Dwell's. It decodes nothing, decides nothing and keeps no state: ROWS holds the accepted events
 * alone (see accepted_rows.h).
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accepted_rows.h"
#include "baseline.h"

enum { ROWS_PER_TRANSACTION = 10000 };

int main(int count, char** arguments) {
  if (count != 3) {
    fprintf(stderr, "usage: bench_baseline_text ROWS DATABASE\n");
    return 2;
  }
  FILE* input = open_rows(arguments[1]);
  sqlite3* database = open_database(arguments[2]);
  execute(database,
          "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -131072;"
          "CREATE TABLE event (device_id TEXT NOT NULL, timestamp INTEGER NOT NULL,"
          " event_type TEXT NOT NULL, PRIMARY KEY (device_id, timestamp, event_type))"
          " WITHOUT ROWID;");
  sqlite3_stmt* insert = prepare(database, "INSERT OR IGNORE INTO event VALUES (?, ?, ?)");

  struct batch_head head;
  long in_transaction = 0;
  while (read_whole(input, &head, sizeof(head))) {
    for (uint32_t i = 0; i < head.rows; ++i) {
      struct row row;
      if (!read_whole(input, &row, sizeof(row))) die("the rows are cut short");
      if (in_transaction == 0) execute(database, "BEGIN IMMEDIATE");
      sqlite3_bind_text(insert, 1, row.name, -1, SQLITE_STATIC);
      sqlite3_bind_int64(insert, 2, row.timestamp);
      sqlite3_bind_text(insert, 3, row.type == 0 ? "device_enter" : "device_exit", -1,
                        SQLITE_STATIC);
      run(database, insert);
      if (++in_transaction == ROWS_PER_TRANSACTION) {
        execute(database, "COMMIT");
        in_transaction = 0;
      }
    }
  }
  if (in_transaction > 0) execute(database, "COMMIT");
  sqlite3_finalize(insert);
  sqlite3_close(database);
  fclose(input);
  return 0;
}
