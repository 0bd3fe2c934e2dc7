ALTER TABLE dwell_position DROP COLUMN expired;
DELETE FROM dwell_fact WHERE name IN ('dropped_rows', 'retention_edge');
