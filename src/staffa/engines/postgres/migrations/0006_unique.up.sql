-- The keys of unique jobs. Whoever enqueues a unique job takes its key first: the lock of the row
-- makes the inserters of equal jobs decide one after the other. The row outlives its jobs until it is
-- pruned. Every inserter writes its row anew, so there is room for new versions in each page.
CREATE TABLE :"prefix".staffa_unique (
    key     bytea PRIMARY KEY,
    holders bigint[] NOT NULL DEFAULT '{}'  -- the jobs that may still count, the newest first
) WITH (fillfactor = 70);
