-- What became of each device's events, as the cleaner's last checkpoint says, and how far the topic of its states was read.
CREATE TABLE dwell_device (
  device_id text COLLATE "C" PRIMARY KEY,
  last_seen bigint NOT NULL,
  accepted bigint NOT NULL,
  repeated_enter bigint NOT NULL,
  repeated_exit bigint NOT NULL,
  duplicate bigint NOT NULL,
  initial_exit bigint NOT NULL,
  promoted bigint NOT NULL,
  retracted bigint NOT NULL
);
CREATE TABLE dwell_device_position (
  topic text NOT NULL,
  partition bigint NOT NULL,
  cluster text NOT NULL,
  next bigint NOT NULL,
  PRIMARY KEY (topic, partition)
);
