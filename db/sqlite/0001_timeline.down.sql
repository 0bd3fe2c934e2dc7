DROP VIEW device_events_cleaned;
DROP TABLE reject;
DROP TABLE ignored_type;
DROP TABLE total;
DROP TABLE input;
DROP TABLE event;
DROP TABLE device;
DROP TABLE meta;
