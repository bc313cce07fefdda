-- Have the jobs of chains that wait for some which were cancelled or deleted while they waited
-- themselves wait for what these have waited for: else they would overtake it. A chain whose last job
-- is deleted has the one before it as its last again.
-- $1 bigint[]: the jobs; the rows of deleted ones are gone, those of their edges not yet; $2 text[]: their
-- flows.
-- Locks: the steps, the chains, which the transaction holds. Index: staffa_edges_needs_job,
-- staffa_edges_job, the primary keys.
WITH RECURSIVE given AS MATERIALIZED (
    SELECT DISTINCT found.id, job.id IS NULL AS deleted
      FROM unnest((SELECT $1::bigint[])) AS found (id)
      LEFT JOIN :"prefix".oban_jobs AS job ON job.id = found.id
     WHERE EXISTS (
               SELECT FROM :"prefix".staffa_edges AS edge
                WHERE edge.job_id = found.id AND edge.on_cancelled IS NOT NULL
           )
), before AS (
    SELECT edge.job_id AS waiting, own.needs_job AS needed, edge.on_cancelled, edge.on_discarded
      FROM given
      JOIN :"prefix".staffa_edges AS edge
        ON edge.needs_job = given.id
       AND edge.on_cancelled IS NOT NULL
       AND edge.job_id NOT IN (SELECT given.id FROM given)
      JOIN :"prefix".staffa_edges AS own
        ON own.job_id = given.id
       AND own.on_cancelled IS NOT NULL
     UNION
    SELECT before.waiting, own.needs_job, before.on_cancelled, before.on_discarded
      FROM before
      LEFT JOIN :"prefix".oban_jobs AS job ON job.id = before.needed
      JOIN :"prefix".staffa_edges AS own
        ON own.job_id = before.needed
       AND own.on_cancelled IS NOT NULL
     WHERE job.state = 'cancelled'
        OR before.needed IN (SELECT given.id FROM given)
), edges AS (
    INSERT INTO :"prefix".staffa_edges
        (job_id, needs_job, on_cancelled, on_discarded, on_deleted)
    SELECT before.waiting, before.needed, before.on_cancelled, before.on_discarded, 'ignore'
      FROM before
      JOIN :"prefix".oban_jobs AS job ON job.id = before.needed
     WHERE job.state IN ('suspended', 'available', 'scheduled', 'executing', 'retryable')
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
      JOIN :"prefix".staffa_edges AS own
        ON own.job_id = last.job
       AND own.on_cancelled IS NOT NULL
)
UPDATE :"prefix".staffa_flows AS chain
   SET tail = found.tail
  FROM (SELECT last.chain, max(last.job) AS tail
          FROM last
         WHERE last.job NOT IN (SELECT given.id FROM given WHERE given.deleted)
         GROUP BY last.chain) AS found
 WHERE chain.id = found.chain;
