-- Have the jobs of chains that wait for some which were cancelled or deleted while they waited
-- themselves wait for what these have waited for: else they would overtake it, or what has ended and holds the
-- chain. What cancels a step of a workflow (see link.sql) does not do so there: it is no dependency of that. A
-- chain whose last job is deleted has the one before it as its last again.
-- $1 bigint[]: the jobs; the rows of deleted ones are gone, those of their edges not yet; $2 text[]: their
-- flows.
-- Locks: the steps, the chains, which the transaction holds. Index: staffa_edges_needs_job,
-- staffa_edges_job (see migration 11 for ::int = 0), the primary keys; OFFSET 0 has them asked for each job,
-- see flows/close_jobs.sql.
WITH RECURSIVE given AS MATERIALIZED (
    SELECT DISTINCT found.id, job.id IS NULL AS deleted
      FROM unnest((SELECT $1::bigint[])) AS found (id)
      LEFT JOIN LATERAL (
               SELECT job.id FROM :"prefix".oban_jobs AS job WHERE job.id = found.id OFFSET 0
           ) AS job ON true
), before AS (
    SELECT edge.job_id AS waiting, own.needs_job AS needed, own.ended IS NULL AS open, edge.on_cancelled,
           edge.on_discarded
      FROM given
     CROSS JOIN LATERAL (
               SELECT edge.job_id, edge.on_cancelled, edge.on_discarded
                 FROM :"prefix".staffa_edges AS edge
                WHERE edge.needs_job = given.id AND edge.on_cancelled IS NOT NULL
               OFFSET 0
           ) AS edge
     CROSS JOIN LATERAL (
               SELECT own.needs_job, own.ended
                 FROM :"prefix".staffa_edges AS own
                WHERE own.job_id = given.id AND (own.needs_job IS NULL)::int = 0
                  AND own.on_cancelled IS NOT NULL
               OFFSET 0
           ) AS own
     WHERE edge.job_id NOT IN (SELECT given.id FROM given)
     UNION
    SELECT before.waiting, own.needs_job, own.ended IS NULL, before.on_cancelled, before.on_discarded
      FROM before
      LEFT JOIN LATERAL (
               SELECT job.state FROM :"prefix".oban_jobs AS job WHERE job.id = before.needed OFFSET 0
           ) AS job ON true
     CROSS JOIN LATERAL (
               SELECT own.needs_job, own.ended
                 FROM :"prefix".staffa_edges AS own
                WHERE own.job_id = before.needed AND (own.needs_job IS NULL)::int = 0
                  AND own.on_cancelled IS NOT NULL
               OFFSET 0
           ) AS own
     WHERE job.state = 'cancelled'
        OR before.needed IN (SELECT given.id FROM given)
), edges AS (
    INSERT INTO :"prefix".staffa_edges
        (job_id, needs_job, on_cancelled, on_discarded, on_deleted)
    SELECT DISTINCT ON (before.waiting, before.needed) before.waiting, before.needed,
           CASE before.on_cancelled WHEN 'hold' THEN 'hold' ELSE 'ignore' END,
           CASE before.on_discarded WHEN 'ignore' THEN 'ignore' ELSE 'hold' END, 'ignore'
      FROM before
     CROSS JOIN LATERAL (
               SELECT job.state FROM :"prefix".oban_jobs AS job WHERE job.id = before.needed OFFSET 0
           ) AS job
     WHERE CASE job.state
               WHEN 'completed' THEN false
               WHEN 'cancelled' THEN before.open AND before.on_cancelled = 'hold'
               WHEN 'discarded' THEN before.open AND before.on_discarded <> 'ignore'
               ELSE true
           END
    ON CONFLICT DO NOTHING
    RETURNING job_id
), steps AS (
    UPDATE :"prefix".staffa_steps AS step
       SET open = step.open + more.count
      FROM (SELECT edges.job_id, count(*) AS count FROM edges GROUP BY edges.job_id) AS more
     WHERE step.job_id = more.job_id
), last AS (
    SELECT chain.id AS chain, chain.tail AS job
      FROM unnest((SELECT $2::text[])) AS found (id)
      JOIN :"prefix".staffa_flows AS chain ON chain.id = found.id
      JOIN given ON given.id = chain.tail AND given.deleted
     UNION
    SELECT last.chain, own.needs_job
      FROM last
      JOIN given ON given.id = last.job AND given.deleted
     CROSS JOIN LATERAL (
               SELECT own.needs_job
                 FROM :"prefix".staffa_edges AS own
                WHERE own.job_id = last.job AND (own.needs_job IS NULL)::int = 0
                  AND own.on_cancelled IS NOT NULL
               OFFSET 0
           ) AS own
)
UPDATE :"prefix".staffa_flows AS chain
   SET tail = found.tail
  FROM (SELECT last.chain, max(last.job) AS tail
          FROM last
         WHERE last.job NOT IN (SELECT given.id FROM given WHERE given.deleted)
         GROUP BY last.chain) AS found
 WHERE chain.id = found.chain;
