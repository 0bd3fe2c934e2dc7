-- The timeline, the state it was made from and the place in the input, in one file.
-- docs/formats.md describes every table.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY NOT NULL,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
  id    INTEGER PRIMARY KEY,
  name  TEXT NOT NULL UNIQUE,
  state BLOB NOT NULL
) STRICT;

-- type: 0 device_enter, 1 device_exit. timestamp: milliseconds since the Unix epoch, UTC.
CREATE TABLE event (
  device    INTEGER NOT NULL REFERENCES device (id),
  timestamp INTEGER NOT NULL,
  type      INTEGER NOT NULL,
  rank      INTEGER NOT NULL DEFAULT 0,
  seq       INTEGER NOT NULL,
  PRIMARY KEY (device, timestamp, type)
) STRICT, WITHOUT ROWID;

CREATE TABLE input (
  source TEXT PRIMARY KEY NOT NULL,
  next   INTEGER NOT NULL,
  mark   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE total (
  name  TEXT PRIMARY KEY NOT NULL,
  count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE ignored_type (
  position INTEGER PRIMARY KEY,
  type     TEXT NOT NULL UNIQUE,
  count    INTEGER NOT NULL
) STRICT;

CREATE TABLE reject (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  received       INTEGER NOT NULL,
  reason         TEXT NOT NULL,
  source         TEXT NOT NULL,
  offset         INTEGER NOT NULL,
  bytes          BLOB NOT NULL,
  truncated_from INTEGER NOT NULL
) STRICT;

CREATE VIEW device_events_cleaned AS
SELECT device.name AS device_id,
       CASE event.type WHEN 0 THEN 'device_enter' ELSE 'device_exit' END AS event_type,
       event.timestamp, event.rank, event.seq
FROM event JOIN device ON device.id = event.device;
