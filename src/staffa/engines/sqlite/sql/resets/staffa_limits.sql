-- Delete all that is known of limits; for tests.
-- Index: none.
DELETE FROM staffa_limits;
