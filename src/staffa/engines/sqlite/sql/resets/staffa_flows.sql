-- Delete all that is known of workflows, batches and chains; for tests.
-- Index: none.
DELETE FROM staffa_flows;
