-- Read the states of the jobs that a statement of the same transaction will change, which can't tell
-- itself what was before. The filter's parameters are the only ones.
-- Index: the primary key; the filter names the ids.
SELECT job.id, job.state AS previous_state
  FROM oban_jobs AS job
 WHERE false /* filter */;
