-- Open the edges to flows that go on again, of jobs that have not run since, or go on again with them.
-- $1 text[]: the flows, $2 bigint[]: the jobs that go on again.
-- Locks: the edges; the roots are locked before. Index: staffa_edges_needs_flow, staffa_edges_flow, the primary key.
UPDATE :"prefix".staffa_edges AS edge
   SET ended = NULL
  FROM :"prefix".staffa_edges AS closed
  JOIN :"prefix".oban_jobs AS job ON job.id = closed.job_id
 WHERE closed.needs_flow = ANY ((SELECT $1::text[])::text[])
   AND closed.ended IS NOT NULL
   AND (job.state::text IN ('suspended', 'available', 'scheduled', 'retryable')
        OR job.id = ANY ((SELECT $2::bigint[])::bigint[]))
   AND edge.job_id = closed.job_id
   AND edge.needs_flow = closed.needs_flow
RETURNING edge.job_id AS id;
