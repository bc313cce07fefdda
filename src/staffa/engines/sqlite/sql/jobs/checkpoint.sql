-- Merge what running jobs note into their meta, where their leases are still ours, and return those.
-- $1: a JSON array of arrays: id, attempt, attempted_at, JSON to merge; $2: producer uuid.
-- Index: the primary key, one probe for each lease; +job.state matches no index on the state.
WITH noted AS MATERIALIZED (
    SELECT job.id, given.value ->> '$[3]' AS patch
      FROM json_each($1) AS given
     CROSS JOIN oban_jobs AS job
     WHERE job.id = given.value ->> '$[0]'
       AND +job.state = 'executing'
       AND job.attempt = given.value ->> '$[1]'
       AND job.attempted_at = given.value ->> '$[2]'
       AND json_extract(job.attempted_by, '$[1]') = $2
)
UPDATE oban_jobs
   SET meta = staffa_merge(oban_jobs.meta, noted.patch)
  FROM noted
 WHERE oban_jobs.id = noted.id
RETURNING id, attempt, attempted_at;
