-- Delete all rows; for tests.
-- Index: none, they all go.
DELETE FROM staffa_dynamic_queues;
