-- Open the edges to jobs that go on again, of jobs that have not run since, or go on again with them.
-- $1: a JSON array of the jobs, $2: one of the jobs that go on again.
-- Index: staffa_edges_needs_job, the primary key.
UPDATE staffa_edges
   SET ended = NULL
 WHERE rowid IN (SELECT edge.rowid
                   FROM json_each($1) AS given
                  CROSS JOIN staffa_edges AS edge
                  WHERE edge.needs_job = given.value
                    AND edge.needs_job IS NOT NULL
                    AND edge.ended IS NOT NULL)
   AND (job_id IN (SELECT given.value FROM json_each($2) AS given)
        OR EXISTS (SELECT 1 FROM oban_jobs AS job
                    WHERE job.id = staffa_edges.job_id
                      AND +job.state IN ('suspended', 'available', 'scheduled', 'retryable')))
RETURNING job_id AS id;
