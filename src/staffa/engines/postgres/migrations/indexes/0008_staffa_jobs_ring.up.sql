-- limits/walk.sql, limits/take.sql: the partitions that wait in a queue, and their next jobs. Only jobs
-- of limited queues have a key. Any client may write one, of any length: what an index can't hold is cut.
CREATE INDEX /* CONCURRENTLY */ staffa_jobs_ring ON :"prefix".oban_jobs
    (queue, priority, (left(meta ->> 'partition_key', 300) COLLATE "C"), scheduled_at, id)
    WHERE state = 'available' AND meta ->> 'partition_key' IS NOT NULL;
