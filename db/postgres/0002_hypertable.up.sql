-- A hypertable by day where TimescaleDB is; a plain table elsewhere. The chunks of an adopted
-- hypertable keep their interval, new ones get a day. The default would be a chunk for each
-- 1,000 s, since timestamps are milliseconds. `dwell migrate hypertable` runs this once more.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
    IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') THEN
      RETURN;
    END IF;
    -- Made where the server has not loaded it, it ends the connection, past any EXCEPTION below.
    -- Who may not see what is loaded sees the settings of what is. The last one is its own way
    -- to do without.
    IF NOT EXISTS (SELECT FROM pg_settings
                   WHERE (name = 'shared_preload_libraries' AND setting LIKE '%timescaledb%')
                      OR name LIKE 'timescaledb.%')
       AND current_setting('timescaledb.allow_install_without_preload', true)
           IS DISTINCT FROM 'on' THEN
      RETURN;
    END IF;
    BEGIN
      CREATE EXTENSION timescaledb;
    EXCEPTION WHEN insufficient_privilege OR object_not_in_prerequisite_state
                OR feature_not_supported OR internal_error THEN
      RETURN;  -- there, but not for this user or not loaded
    END;
  END IF;
  IF EXISTS (SELECT FROM timescaledb_information.hypertables
             WHERE hypertable_name = 'device_events_cleaned'
               AND hypertable_schema = current_schema()) THEN
    INSERT INTO dwell_fact
    SELECT 'adopted_interval', integer_interval FROM timescaledb_information.dimensions
    WHERE hypertable_name = 'device_events_cleaned' AND hypertable_schema = current_schema()
      AND column_name = 'timestamp' AND integer_interval IS NOT NULL;
    PERFORM set_chunk_time_interval('device_events_cleaned', 86400000::bigint);
    INSERT INTO dwell_fact VALUES ('hypertable', 'adopted');
  ELSE
    PERFORM create_hypertable('device_events_cleaned', 'timestamp',
                              chunk_time_interval => 86400000::bigint,
                              create_default_indexes => false, migrate_data => true);
    INSERT INTO dwell_fact VALUES ('hypertable', 'made');
  END IF;
END $$;
