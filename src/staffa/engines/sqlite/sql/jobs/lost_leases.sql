-- Tell which of a producer's leases have ended without its doing: cancelled, rescued or deleted.
-- $1: a JSON array of arrays: id, attempted_at; $2: producer uuid.
-- Index: the primary key, one probe for each lease; +job.state matches no index on the state.
SELECT lease.key + 1 AS place
  FROM json_each($1) AS lease
 WHERE NOT EXISTS (
           SELECT 1
             FROM oban_jobs AS job
            WHERE job.id = lease.value ->> '$[0]'
              AND +job.state = 'executing'
              AND job.attempted_at = lease.value ->> '$[1]'
              AND json_extract(job.attempted_by, '$[1]') = $2
       );
