-- Delete all rows; for tests.
DELETE FROM oban_jobs;
