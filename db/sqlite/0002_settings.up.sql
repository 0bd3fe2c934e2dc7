-- The settings that decide outcomes stand in meta, each by its name. A database of before keeps its
-- reading of times: numbers are milliseconds, and no time is too early.
INSERT INTO meta (name, value)
SELECT 'input.time_unit', 'ms' FROM meta WHERE name = 'order';
INSERT INTO meta (name, value)
SELECT 'clock.earliest', 'off' FROM meta WHERE name = 'order';
