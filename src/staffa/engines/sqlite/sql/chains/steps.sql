-- Count what jobs of chains wait for.
-- $1: a JSON array of arrays: the id of a job, its chain, on_cancelled, on_discarded; in the order of the jobs.
-- Index: staffa_edges_job, staffa_edges_flow, the primary key.
INSERT INTO staffa_steps (job_id, root, open)
SELECT given.id, given.chain, given.open
  FROM (SELECT found.value ->> '$[0]' AS id, found.value ->> '$[1]' AS chain,
               (SELECT count(*)
                  FROM staffa_edges AS edge
                 WHERE edge.job_id = found.value ->> '$[0]'
                   AND edge.needs_job IS NOT NULL
                   AND edge.ended IS NULL)
               + (SELECT count(*)
                    FROM staffa_edges AS edge
                   WHERE edge.job_id = found.value ->> '$[0]'
                     AND edge.needs_flow IS NOT NULL
                     AND edge.ended IS NULL) AS open
          FROM json_each($1) AS found) AS given
 WHERE given.open > 0
    ON CONFLICT (job_id) DO UPDATE
   SET open = excluded.open;
