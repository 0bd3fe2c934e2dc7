#ifndef DWELL_BENCH_BASELINE_H
#define DWELL_BENCH_BASELINE_H

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

/* What both baselines share: every failure ends the program. */

static inline void die(const char* message) {
  fprintf(stderr, "%s\n", message);
  exit(1);
}

static inline FILE* open_rows(const char* path) {
  FILE* file = fopen(path, "rb");
  if (file == NULL) die("cannot open the rows");
  setvbuf(file, NULL, _IOFBF, 1 << 20);
  return file;
}

static inline int read_whole(FILE* file, void* bytes, size_t size) {
  return fread(bytes, size, 1, file) == 1;
}

static inline sqlite3* open_database(const char* path) {
  sqlite3* database;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(path, &database, flags, NULL) != SQLITE_OK) die("cannot open the database");
  return database;
}

static inline void execute(sqlite3* database, const char* sql) {
  if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK) die(sqlite3_errmsg(database));
}

static inline sqlite3_stmt* prepare(sqlite3* database, const char* sql) {
  sqlite3_stmt* statement;
  if (sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
      SQLITE_OK) {
    die(sqlite3_errmsg(database));
  }
  return statement;
}

/* Runs a statement that gives no rows. */
static inline void run(sqlite3* database, sqlite3_stmt* statement) {
  if (sqlite3_step(statement) != SQLITE_DONE) die(sqlite3_errmsg(database));
  sqlite3_reset(statement);
}

#endif
