-- limits/look.sql, limits/walk.sql: the running jobs of limited queues, by partition.
CREATE INDEX /* CONCURRENTLY */ staffa_jobs_limited ON :"prefix".oban_jobs
    (queue, (left(meta ->> 'partition_key', 300) COLLATE "C"))
    WHERE state = 'executing' AND meta ->> 'partition_key' IS NOT NULL;
