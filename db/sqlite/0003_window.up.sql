-- The older events of a device's window, in pieces of a few each, oldest first; device.state holds
-- the newest ones. So a new event does not rewrite all of a large window.
CREATE TABLE window (
  id     INTEGER PRIMARY KEY,
  device INTEGER NOT NULL REFERENCES device (id) DEFERRABLE INITIALLY DEFERRED,
  events BLOB NOT NULL
) STRICT;
