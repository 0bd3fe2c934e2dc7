-- What is dropped for its age is counted, and how far that went: a retract of such a row is no fault.
INSERT INTO dwell_fact VALUES ('dropped_rows', '0'), ('retention_edge', '0');
ALTER TABLE dwell_position ADD COLUMN expired bigint NOT NULL DEFAULT 0;
