-- Read the signals that running jobs have got, where their leases are still ours, and the time.
-- $1: a JSON array of arrays: id, attempt, attempted_at; $2: producer uuid.
-- Index: the primary key, one probe for each lease; +job.state matches no index on the state.
SELECT lease.key + 1 AS place, job.meta -> '$.staffa_signals' AS signals, staffa_now() AS read_at
  FROM json_each($1) AS lease
 CROSS JOIN oban_jobs AS job
 WHERE job.id = lease.value ->> '$[0]'
   AND +job.state = 'executing'
   AND job.attempt = lease.value ->> '$[1]'
   AND job.attempted_at = lease.value ->> '$[2]'
   AND json_extract(job.attempted_by, '$[1]') = $2;
