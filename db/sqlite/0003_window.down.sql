-- A release of before knows no pieces: it goes on only where there are none.
CREATE TEMP TABLE no_pieces (count INTEGER CHECK (count = 0));
INSERT INTO no_pieces SELECT count(*) FROM window;
DROP TABLE no_pieces;
DROP TABLE window;
