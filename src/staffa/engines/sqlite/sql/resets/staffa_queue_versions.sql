-- Delete all rows; for tests.
-- Index: none, all rows go.
DELETE FROM staffa_queue_versions;
