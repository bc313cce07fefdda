-- flows/: the jobs of a batch. Only they have a key; any client may write one, of any length.
CREATE INDEX /* CONCURRENTLY */ staffa_jobs_batch ON :"prefix".oban_jobs
    ((left(meta ->> 'batch_id', 127) COLLATE "C"), id)
    WHERE meta ->> 'batch_id' IS NOT NULL;
