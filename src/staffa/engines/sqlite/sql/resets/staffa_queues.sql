-- Delete all rows; for tests.
-- Index: none, all rows go.
DELETE FROM staffa_queues;
