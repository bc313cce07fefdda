-- Have the jobs of chains that wait for some which were cancelled or deleted while they waited
-- themselves wait for what these have waited for: else they would overtake it, or what has ended and holds the
-- chain. What cancels a step of a workflow (see edges.sql) does not do so there: it is no dependency of that.
-- $1: a JSON array with the jobs; the rows of deleted ones are gone, those of their edges not yet.
-- Index: staffa_edges_needs_job, staffa_edges_job, the primary key.
WITH RECURSIVE given AS MATERIALIZED (
    SELECT DISTINCT found.value AS id
      FROM json_each($1) AS found
), before AS (
    SELECT edge.job_id AS waiting, own.needs_job AS needed, own.ended IS NULL AS open, edge.on_cancelled,
           edge.on_discarded
      FROM given
      JOIN staffa_edges AS edge
        ON edge.needs_job = given.id
       AND edge.on_cancelled IS NOT NULL
       AND edge.job_id NOT IN (SELECT given.id FROM given)
      JOIN staffa_edges AS own ON own.job_id = given.id
       AND own.needs_job IS NOT NULL AND own.on_cancelled IS NOT NULL
     UNION
    SELECT before.waiting, own.needs_job, own.ended IS NULL, before.on_cancelled, before.on_discarded
      FROM before
      LEFT JOIN oban_jobs AS job ON job.id = before.needed
      JOIN staffa_edges AS own ON own.job_id = before.needed
       AND own.needs_job IS NOT NULL AND own.on_cancelled IS NOT NULL
     WHERE job.state = 'cancelled'
        OR before.needed IN (SELECT given.id FROM given)
)
INSERT INTO staffa_edges (job_id, needs_job, on_cancelled, on_discarded, on_deleted)
SELECT before.waiting, before.needed, CASE before.on_cancelled WHEN 'hold' THEN 'hold' ELSE 'ignore' END,
       CASE before.on_discarded WHEN 'ignore' THEN 'ignore' ELSE 'hold' END, 'ignore'
  FROM before
  JOIN oban_jobs AS job ON job.id = before.needed
 WHERE CASE job.state
           WHEN 'completed' THEN false
           WHEN 'cancelled' THEN before.open AND before.on_cancelled = 'hold'
           WHEN 'discarded' THEN before.open AND before.on_discarded <> 'ignore'
           ELSE true
       END
    ON CONFLICT DO NOTHING;
