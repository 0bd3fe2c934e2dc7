-- The timeline and how far it is read from the cleaned topic. docs/formats.md describes each table.
-- A table device_events_cleaned that is there is adopted with its rows.

CREATE TABLE dwell_fact (
  name  text PRIMARY KEY,
  value text NOT NULL
);

CREATE TABLE IF NOT EXISTS device_events_cleaned (
  device_id  text COLLATE "C" NOT NULL,
  event_type text             NOT NULL,
  timestamp  bigint           NOT NULL,
  rank       bigint           NOT NULL DEFAULT 0,
  seq        bigint,
  CONSTRAINT device_events_cleaned_pkey PRIMARY KEY (device_id, timestamp, event_type)
);

-- What an adopted table was, so that the way back leads there.
DO $$
DECLARE
  adopted  boolean;
  old_key  text;
  old_name text;
BEGIN
  adopted := NOT EXISTS (
    SELECT FROM pg_attribute
    WHERE attrelid = 'device_events_cleaned'::regclass AND attname = 'rank' AND NOT attisdropped);
  INSERT INTO dwell_fact VALUES ('adopted_rows', '0');
  IF NOT adopted THEN
    RETURN;
  END IF;

  UPDATE dwell_fact SET value = (SELECT count(*) FROM device_events_cleaned)
  WHERE name = 'adopted_rows';
  INSERT INTO dwell_fact
  SELECT 'adopted_type.' || attname,
         format_type(atttypid, atttypmod) ||
           CASE WHEN attcollation = 0 THEN '' ELSE ' COLLATE ' || attcollation::regcollation END
  FROM pg_attribute
  WHERE attrelid = 'device_events_cleaned'::regclass AND attname IN ('device_id', 'event_type');
  INSERT INTO dwell_fact
  SELECT 'adopted_nullable', attname
  FROM pg_attribute
  WHERE attrelid = 'device_events_cleaned'::regclass AND attname = 'event_type'
    AND NOT attnotnull;
  SELECT conname, pg_get_constraintdef(oid) INTO old_name, old_key
  FROM pg_constraint WHERE conrelid = 'device_events_cleaned'::regclass AND contype = 'p';
  IF old_name IS NOT NULL THEN
    INSERT INTO dwell_fact VALUES ('adopted_key', format('%I %s', old_name, old_key));
    EXECUTE format('ALTER TABLE device_events_cleaned DROP CONSTRAINT %I', old_name);
  END IF;

  ALTER TABLE device_events_cleaned
    ALTER COLUMN device_id TYPE text COLLATE "C",
    ALTER COLUMN event_type TYPE text,
    ALTER COLUMN event_type SET NOT NULL,
    ADD COLUMN rank bigint NOT NULL DEFAULT 0,
    ADD COLUMN seq bigint,
    ADD CONSTRAINT device_events_cleaned_pkey PRIMARY KEY (device_id, timestamp, event_type);
END $$;

-- How far a partition of the cleaned topic is read, and what was done with its records since.
CREATE TABLE dwell_position (
  topic      text   NOT NULL,
  partition  bigint NOT NULL,
  cluster    text   NOT NULL,
  next       bigint NOT NULL,
  last       bigint,
  last_hash  bytea,
  inserts    bigint NOT NULL DEFAULT 0,
  retracts   bigint NOT NULL DEFAULT 0,
  absorbed   bigint NOT NULL DEFAULT 0,
  faults     bigint NOT NULL DEFAULT 0,
  rejected   bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (topic, partition)
);
