DROP TABLE dwell_position;

-- An adopted table goes back to what it was; one that was made here goes.
DO $$
DECLARE
  adopted_key text := (SELECT value FROM dwell_fact WHERE name = 'adopted_key');
  of_column   record;
BEGIN
  IF NOT EXISTS (SELECT FROM dwell_fact WHERE name LIKE 'adopted_type.%') THEN
    DROP TABLE device_events_cleaned;
    RETURN;
  END IF;
  ALTER TABLE device_events_cleaned
    DROP CONSTRAINT device_events_cleaned_pkey, DROP COLUMN rank, DROP COLUMN seq;
  FOR of_column IN
    SELECT substr(name, length('adopted_type.') + 1) AS name, value AS type
    FROM dwell_fact WHERE name LIKE 'adopted_type.%'
  LOOP
    EXECUTE format('ALTER TABLE device_events_cleaned ALTER COLUMN %I TYPE %s', of_column.name,
                   of_column.type);
  END LOOP;
  IF EXISTS (SELECT FROM dwell_fact WHERE name = 'adopted_nullable') THEN
    ALTER TABLE device_events_cleaned ALTER COLUMN event_type DROP NOT NULL;
  END IF;
  IF adopted_key IS NOT NULL THEN
    EXECUTE 'ALTER TABLE device_events_cleaned ADD CONSTRAINT ' || adopted_key;
  END IF;
END $$;

DROP TABLE dwell_fact;
