-- Close the edges to jobs that have completed, and return the steps that now go on, in one row: close_jobs.sql
-- without a look at what each step does where that is not so.
-- $1 bigint[]: the jobs.
-- Locks: the edges, the steps. Index: staffa_edges_needs_job, staffa_edges_job, the primary key of the steps;
-- see close_jobs.sql for OFFSET 0 and ::int <> 0.
WITH due AS MATERIALIZED (
    SELECT edge.job_id, edge.needs_job
      FROM unnest((SELECT $1::bigint[])) AS given (id)
     CROSS JOIN LATERAL (
               SELECT edge.job_id, edge.needs_job
                 FROM :"prefix".staffa_edges AS edge
                WHERE edge.needs_job = given.id AND edge.ended IS NULL
               OFFSET 0
           ) AS edge
), closed AS (
    UPDATE :"prefix".staffa_edges AS edge
       SET ended = 'completed'
      FROM due
     WHERE edge.job_id = due.job_id
       AND edge.needs_job = due.needs_job
       AND (edge.ended IS NULL)::int <> 0
    RETURNING edge.job_id
), by_step AS MATERIALIZED (
    SELECT closed.job_id, count(*) AS closed
      FROM closed
     GROUP BY closed.job_id
), lowered AS (
    UPDATE :"prefix".staffa_steps AS step
       SET open = step.open - by_step.closed
      FROM by_step
     WHERE step.job_id = by_step.job_id
    RETURNING step.job_id, step.open, step.held
)
SELECT array_agg(lowered.job_id) AS going
  FROM lowered
 WHERE lowered.open <= 0
   AND NOT lowered.held;
