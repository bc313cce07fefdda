-- Close the edges to jobs that have ended, and return the steps that now go on, or are cancelled. An edge
-- whose step is to hold stays open. How many are left is read from the step as it is after the update:
-- two that close the last edges of a step at once don't both miss that.
-- $1 bigint[]: the jobs, $2 text[]: how each has ended.
-- Locks: the edges, the steps. Index: staffa_edges_needs_job, staffa_edges_job, the primary key of the steps.
-- OFFSET 0 has the index asked for each job, and ::int <> 0 for each edge: the planner takes open edges for
-- rare, and would compare each with all of them.
WITH due AS MATERIALIZED (
    SELECT edge.job_id, edge.needs_job, given.ended,
           CASE given.ended WHEN 'cancelled' THEN step.on_cancelled
                            WHEN 'discarded' THEN step.on_discarded
                            WHEN 'deleted' THEN step.on_deleted ELSE 'ignore' END AS policy
      FROM unnest((SELECT $1::bigint[]), (SELECT $2::text[])) AS given (id, ended)
     CROSS JOIN LATERAL (
               SELECT edge.job_id, edge.needs_job
                 FROM :"prefix".staffa_edges AS edge
                WHERE edge.needs_job = given.id AND edge.ended IS NULL
               OFFSET 0
           ) AS edge
      JOIN :"prefix".staffa_steps AS step ON step.job_id = edge.job_id
), closed AS (
    UPDATE :"prefix".staffa_edges AS edge
       SET ended = due.ended
      FROM due
     WHERE edge.job_id = due.job_id
       AND edge.needs_job = due.needs_job
       AND (edge.ended IS NULL)::int <> 0
       AND due.policy <> 'hold'
    RETURNING edge.job_id, edge.needs_job, due.ended, due.policy
), by_step AS MATERIALIZED (
    SELECT closed.job_id, count(*) AS closed,
           min(closed.needs_job) FILTER (WHERE closed.policy = 'cancel') AS needs,
           min(closed.ended) FILTER (WHERE closed.policy = 'cancel') AS ended
      FROM closed
     GROUP BY closed.job_id
), lowered AS (
    UPDATE :"prefix".staffa_steps AS step
       SET open = step.open - by_step.closed
      FROM by_step
     WHERE step.job_id = by_step.job_id
    RETURNING step.job_id, step.open, step.held, by_step.needs, by_step.ended
)
SELECT lowered.job_id, lowered.needs, lowered.ended
  FROM lowered
 WHERE lowered.ended IS NOT NULL
    OR (lowered.open <= 0 AND NOT lowered.held);
