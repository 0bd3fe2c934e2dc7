DROP TABLE dwell_device_position;
DROP TABLE dwell_device;
