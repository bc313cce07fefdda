-- Tell which leases are still ours; nobody holds rows. By their places in the array.
-- $1: a JSON array of arrays: id, attempt, attempted_at; $2: producer uuid.
-- Index: the primary key, one probe for each lease; +job.state matches no index on the state.
SELECT lease.key + 1 AS place, 0 AS held
  FROM json_each($1) AS lease
 CROSS JOIN oban_jobs AS job
 WHERE job.id = lease.value ->> '$[0]'
   AND +job.state = 'executing'
   AND job.attempt = lease.value ->> '$[1]'
   AND job.attempted_at = lease.value ->> '$[2]'
   AND json_extract(job.attempted_by, '$[1]') = $2;
