-- Delete jobs that are not running.
-- The filter's parameters are the only ones.
-- Index: the primary key; the filter names the ids.
DELETE FROM oban_jobs AS job
 WHERE false /* filter */
   AND job.state <> 'executing'
RETURNING id, queue, worker, attempt, state AS previous_state;
