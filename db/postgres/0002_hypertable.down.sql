-- TimescaleDB has no way from a hypertable back: the rows go to a plain table of the same layout.
DO $$
BEGIN
  IF EXISTS (SELECT FROM dwell_fact WHERE name = 'hypertable' AND value = 'made') THEN
    ALTER TABLE device_events_cleaned RENAME TO dwell_hypertable;
    CREATE TABLE device_events_cleaned
      (LIKE dwell_hypertable INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
    INSERT INTO device_events_cleaned SELECT * FROM dwell_hypertable;
    DROP TABLE dwell_hypertable;
    ALTER TABLE device_events_cleaned
      ADD CONSTRAINT device_events_cleaned_pkey PRIMARY KEY (device_id, timestamp, event_type);
  END IF;
  DELETE FROM dwell_fact WHERE name = 'hypertable';
END $$;
