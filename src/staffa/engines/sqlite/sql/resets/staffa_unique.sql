-- Delete all rows; for tests.
DELETE FROM staffa_unique;
