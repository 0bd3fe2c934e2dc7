-- Its states can be read by a release of before only where order = arrival.
DELETE FROM meta WHERE name NOT IN ('order', 'file');
