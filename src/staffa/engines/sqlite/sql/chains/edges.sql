-- Have jobs wait that this transaction has written, each for the one before it in its chain; the
-- first for the last one that there was. One that was cancelled may have waited itself: what it waited
-- for is waited for then. A step of a workflow may depend on the same job: then both are one edge, with the
-- stricter policies ("cancel" comes before "hold", and that before "ignore").
-- $1: a JSON array of arrays: the id of a job, its chain, on_cancelled, on_discarded; in the order of the jobs.
-- Index: the primary keys, staffa_edges_job.
WITH RECURSIVE given AS MATERIALIZED (
    SELECT found.key AS place, found.value ->> '$[0]' AS id, found.value ->> '$[1]' AS chain,
           found.value ->> '$[2]' AS on_cancelled, found.value ->> '$[3]' AS on_discarded,
           lag(found.value ->> '$[0]') OVER (PARTITION BY found.value ->> '$[1]' ORDER BY found.key)
               AS earlier
      FROM json_each($1) AS found
), foremost AS MATERIALIZED (
    SELECT given.id, given.on_cancelled, given.on_discarded, tail.id AS tail, tail.state
      FROM given
      JOIN staffa_flows AS chain ON chain.id = given.chain
      JOIN oban_jobs AS tail ON tail.id = chain.tail
     WHERE given.earlier IS NULL
), before AS (
    SELECT foremost.id, edge.needs_job AS needed, edge.ended IS NULL AS open, job.state,
           foremost.on_cancelled, foremost.on_discarded
      FROM foremost
      JOIN staffa_edges AS edge ON edge.job_id = foremost.tail
       AND edge.needs_job IS NOT NULL AND edge.on_cancelled IS NOT NULL
      JOIN oban_jobs AS job ON job.id = edge.needs_job
     WHERE foremost.state = 'cancelled'
     UNION
    SELECT before.id, edge.needs_job, edge.ended IS NULL, job.state, before.on_cancelled,
           before.on_discarded
      FROM before
      JOIN staffa_edges AS edge ON edge.job_id = before.needed
       AND edge.needs_job IS NOT NULL AND edge.on_cancelled IS NOT NULL
      JOIN oban_jobs AS job ON job.id = edge.needs_job
     WHERE before.state = 'cancelled'
)
INSERT INTO staffa_edges (job_id, needs_job, on_cancelled, on_discarded, on_deleted)
SELECT given.id, given.earlier, given.on_cancelled, given.on_discarded, 'ignore'
  FROM given
 WHERE given.earlier IS NOT NULL
 UNION ALL
SELECT foremost.id, foremost.tail, foremost.on_cancelled, foremost.on_discarded, 'ignore'
  FROM foremost
 WHERE CASE foremost.state
           WHEN 'completed' THEN false
           WHEN 'cancelled' THEN foremost.on_cancelled = 'hold'
           WHEN 'discarded' THEN foremost.on_discarded = 'hold'
           ELSE true
       END
 UNION ALL
SELECT DISTINCT before.id, before.needed, before.on_cancelled, before.on_discarded, 'ignore'
  FROM before
 WHERE CASE before.state
           WHEN 'completed' THEN false
           WHEN 'cancelled' THEN before.open AND before.on_cancelled = 'hold'
           WHEN 'discarded' THEN before.open AND before.on_discarded = 'hold'
           ELSE true
       END
    ON CONFLICT (job_id, needs_job) WHERE needs_job IS NOT NULL DO UPDATE
   SET (on_cancelled, on_discarded, on_deleted, ended) = (
           SELECT min(step.on_cancelled, excluded.on_cancelled), min(step.on_discarded, excluded.on_discarded),
                  step.on_deleted,
                  CASE WHEN CASE staffa_edges.ended
                                WHEN 'cancelled' THEN min(step.on_cancelled, excluded.on_cancelled)
                                WHEN 'discarded' THEN min(step.on_discarded, excluded.on_discarded)
                                ELSE 'ignore' END <> 'hold' THEN staffa_edges.ended END
             FROM staffa_steps AS step
            WHERE step.job_id = excluded.job_id
       );
