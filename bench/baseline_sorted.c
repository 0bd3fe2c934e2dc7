/*
 * bench_baseline_sorted ROWS DATABASE: the least a program does that keeps Dwell's own tables:
 * integer keys, each batch sorted and written with its device states and its input position in one
 * durable transaction, under the same settings of SQLite. It decodes nothing, decides nothing and
 * keeps no counts: ROWS holds the accepted events in Dwell's batches (see accepted_rows.h).
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "accepted_rows.h"
#include "baseline.h"

/* The columns of db/sqlite/0001_timeline.up.sql and the settings of src/sqlite/database.cc. */
static const char* const setup =
    "PRAGMA page_size = 8192; PRAGMA cache_size = -131072; PRAGMA synchronous = FULL;"
    "PRAGMA wal_autocheckpoint = 20000; PRAGMA journal_size_limit = 167772160;"
    "PRAGMA journal_mode = WAL;"
    "CREATE TABLE device (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, state BLOB NOT NULL)"
    " STRICT;"
    "CREATE TABLE event (device INTEGER NOT NULL REFERENCES device (id),"
    " timestamp INTEGER NOT NULL, type INTEGER NOT NULL, rank INTEGER NOT NULL DEFAULT 0,"
    " seq INTEGER NOT NULL, PRIMARY KEY (device, timestamp, type)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE input (source TEXT PRIMARY KEY NOT NULL, next INTEGER NOT NULL,"
    " mark BLOB NOT NULL) STRICT, WITHOUT ROWID;";

static sqlite3* database;
static sqlite3_stmt *insert_device, *update_state, *insert_event, *put_position;
static uint32_t known_devices;
static const char state[4096];

static int by_key(const void* left, const void* right) {
  const struct row* a = left;
  const struct row* b = right;
  if (a->device != b->device) return a->device < b->device ? -1 : 1;
  if (a->timestamp != b->timestamp) return a->timestamp < b->timestamp ? -1 : 1;
  return (int)a->type - (int)b->type;
}

/* A device's first accepted event makes it known, so the numbers of new devices have no gap. */
static void write_state(const struct row* row, uint32_t state_bytes) {
  const int is_new = row->device >= known_devices;
  sqlite3_stmt* statement = is_new ? insert_device : update_state;
  sqlite3_bind_int64(statement, 1, (sqlite3_int64)row->device + 1);
  if (is_new) sqlite3_bind_text(statement, 3, row->name, -1, SQLITE_STATIC);
  sqlite3_bind_blob(statement, 2, state, (int)state_bytes, SQLITE_STATIC);
  run(database, statement);
  if (is_new) known_devices = row->device + 1;
}

static void write_event(const struct row* row) {
  sqlite3_bind_int64(insert_event, 1, (sqlite3_int64)row->device + 1);
  sqlite3_bind_int64(insert_event, 2, row->timestamp);
  sqlite3_bind_int64(insert_event, 3, row->type);
  sqlite3_bind_int64(insert_event, 4, (sqlite3_int64)row->seq);
  sqlite3_bind_int64(insert_event, 5, (sqlite3_int64)row->seq);
  run(database, insert_event);
}

static void write_batch(const struct batch_head* head, struct row* rows) {
  qsort(rows, head->rows, sizeof(*rows), by_key);
  execute(database, "BEGIN IMMEDIATE");
  for (uint32_t i = 0; i < head->rows; ++i) {
    if (i == 0 || rows[i].device != rows[i - 1].device) write_state(&rows[i], head->state_bytes);
  }
  for (uint32_t i = 0; i < head->rows; ++i) write_event(&rows[i]);
  sqlite3_bind_text(put_position, 1, "input", -1, SQLITE_STATIC);
  sqlite3_bind_int64(put_position, 2, (sqlite3_int64)head->position);
  run(database, put_position);
  execute(database, "COMMIT");
}

int main(int count, char** arguments) {
  if (count != 3) {
    fprintf(stderr, "usage: bench_baseline_sorted ROWS DATABASE\n");
    return 2;
  }
  FILE* input = open_rows(arguments[1]);
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  database = open_database(arguments[2]);
  execute(database, setup);
  insert_device = prepare(database, "INSERT INTO device (id, state, name) VALUES (?, ?, ?)");
  update_state = prepare(database, "UPDATE device SET state = ?2 WHERE id = ?1");
  insert_event = prepare(database, "INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?)");
  put_position = prepare(database, "INSERT OR REPLACE INTO input VALUES (?, ?, x'')");

  struct batch_head head;
  while (read_whole(input, &head, sizeof(head))) {
    if (head.state_bytes > sizeof(state)) die("the states are too long");
    struct row* rows = malloc((head.rows + 1) * sizeof(*rows));
    if (rows == NULL || fread(rows, sizeof(*rows), head.rows, input) != head.rows) {
      die("the rows are cut short");
    }
    write_batch(&head, rows);
    free(rows);
  }
  sqlite3_finalize(insert_device);
  sqlite3_finalize(update_state);
  sqlite3_finalize(insert_event);
  sqlite3_finalize(put_position);
  sqlite3_close(database);
  fclose(input);
  return 0;
}
