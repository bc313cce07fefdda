-- Count what jobs of chains wait for.
-- $1: a JSON array of pairs: the id of a job and the place of its kind, in the order of the jobs;
-- $2: the kinds, a JSON array of arrays: the chain, on_cancelled, on_discarded.
-- Index: staffa_edges_job, the primary key.
INSERT INTO staffa_steps (job_id, root, open)
SELECT given.id, given.chain, given.open
  FROM (SELECT found.value ->> '$[0]' AS id, kind.value ->> '$[0]' AS chain,
               (SELECT count(*)
                  FROM staffa_edges AS edge
                 WHERE edge.job_id = found.value ->> '$[0]'
                   AND edge.ended IS NULL) AS open
          FROM json_each($1) AS found
          JOIN json_each($2) AS kind ON kind.key = found.value ->> '$[1]') AS given
 WHERE given.open > 0
    ON CONFLICT (job_id) DO UPDATE
   SET open = excluded.open;
