-- Delete all jobs and all that is known of queues, entries of cron, leaders and producers; for tests.
-- No TRUNCATE: it takes the owner of the tables, and waits for whoever has looked at them.
-- Locks: all rows. Index: none.
WITH crons AS (DELETE FROM :"prefix".staffa_crons),
     keys AS (DELETE FROM :"prefix".staffa_unique),
     dynamic AS (DELETE FROM :"prefix".staffa_dynamic_queues),
     queues AS (DELETE FROM :"prefix".staffa_queues),
     versions AS (DELETE FROM :"prefix".staffa_queue_versions),
     producers AS (DELETE FROM :"prefix".staffa_producers),
     limits AS (DELETE FROM :"prefix".staffa_limits),
     rates AS (DELETE FROM :"prefix".staffa_rates),
     edges AS (DELETE FROM :"prefix".staffa_edges),
     steps AS (DELETE FROM :"prefix".staffa_steps),
     members AS (DELETE FROM :"prefix".staffa_members),
     flows AS (DELETE FROM :"prefix".staffa_flows),
     leaders AS (DELETE FROM :"prefix".staffa_leaders)
DELETE FROM :"prefix".oban_jobs;
