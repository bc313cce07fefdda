-- Open the edges to jobs that go on again, of jobs that have not run since, or go on again with them.
-- $1 bigint[]: the jobs, $2 bigint[]: the jobs that go on again.
-- Locks: the edges; the roots are locked before. Index: staffa_edges_needs_job, staffa_edges_job, the primary key.
UPDATE :"prefix".staffa_edges AS edge
   SET ended = NULL
  FROM :"prefix".staffa_edges AS closed
  JOIN :"prefix".oban_jobs AS job ON job.id = closed.job_id
 WHERE closed.needs_job = ANY ((SELECT $1::bigint[])::bigint[])
   AND closed.ended IS NOT NULL
   AND (job.state::text IN ('suspended', 'available', 'scheduled', 'retryable')
        OR job.id = ANY ((SELECT $2::bigint[])::bigint[]))
   AND edge.job_id = closed.job_id
   AND edge.needs_job = closed.needs_job
RETURNING edge.job_id AS id;
