-- Delete all rows; for tests.
-- Index: none, they all go.
DELETE FROM staffa_queue_versions;
