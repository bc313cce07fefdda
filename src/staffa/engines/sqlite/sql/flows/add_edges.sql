-- Insert what jobs wait for, and how that has ended if it has.
-- $1: a JSON array of arrays: the job, the job that it needs or null, the flow that it needs or null, how that has
-- ended or null.
-- Index: none.
INSERT INTO staffa_edges (job_id, needs_job, needs_flow, ended)
SELECT given.value ->> '$[0]', given.value ->> '$[1]', given.value ->> '$[2]', given.value ->> '$[3]'
  FROM json_each($1) AS given;
