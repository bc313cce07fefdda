-- Open the edges to flows that go on again, of jobs that have not run since, or go on again with them.
-- $1 text[]: the flows, $2 bigint[]: the jobs that go on again.
-- Locks: the edges; the roots are locked before. Index: staffa_edges_needs_flow, the primary key of the jobs, which
-- is asked for each edge.
UPDATE :"prefix".staffa_edges AS edge
   SET ended = NULL
 WHERE edge.needs_flow = ANY ((SELECT $1::text[])::text[])
   AND edge.ended IS NOT NULL
   AND (edge.job_id IN (SELECT unnest($2::bigint[]))
        OR (SELECT job.state::text FROM :"prefix".oban_jobs AS job WHERE job.id = edge.job_id)
               IN ('suspended', 'available', 'scheduled', 'retryable'))
RETURNING edge.job_id AS id;
