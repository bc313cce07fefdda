-- flows/: the jobs of a workflow. Only they have a key; any client may write one, of any length.
CREATE INDEX /* CONCURRENTLY */ staffa_jobs_workflow ON :"prefix".oban_jobs
    ((left(meta ->> 'workflow_id', 127) COLLATE "C"), id)
    WHERE meta ->> 'workflow_id' IS NOT NULL;
