-- Read which steps have edges to jobs that have ended: how many of these close, and how many are left. An
-- edge whose step is to hold stays open.
-- $1: a JSON array of arrays: a job, how it has ended.
-- Index: staffa_edges_needs_job, the primary key of the steps.
WITH due AS MATERIALIZED (
    SELECT edge.job_id, edge.needs_job AS needs, given.value ->> '$[1]' AS ended, step.open, step.held,
           CASE given.value ->> '$[1]'
               WHEN 'cancelled' THEN coalesce(edge.on_cancelled, step.on_cancelled)
               WHEN 'discarded' THEN coalesce(edge.on_discarded, step.on_discarded)
               WHEN 'deleted' THEN coalesce(edge.on_deleted, step.on_deleted)
               ELSE 'ignore' END AS policy
      FROM json_each($1) AS given
     CROSS JOIN staffa_edges AS edge
     CROSS JOIN staffa_steps AS step
     WHERE edge.needs_job = given.value ->> '$[0]'
       AND edge.ended IS NULL
       AND step.job_id = edge.job_id
)
SELECT due.job_id, count(*) AS closed, due.open - count(*) AS left, due.held,
       min(due.needs) FILTER (WHERE due.policy = 'cancel') AS needs,
       min(due.ended) FILTER (WHERE due.policy = 'cancel') AS ended
  FROM due
 WHERE due.policy <> 'hold'
 GROUP BY due.job_id;
