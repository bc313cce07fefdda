-- Have chains whose last job is deleted have the one before it as their last again.
-- $1: a JSON array with the jobs; the rows of deleted ones are gone, those of their edges not yet;
-- $2: the flows of the jobs, a JSON array.
-- Index: staffa_edges_job, the primary keys.
WITH RECURSIVE given AS MATERIALIZED (
    SELECT DISTINCT found.value AS id
      FROM json_each($1) AS found
     WHERE found.value NOT IN (SELECT job.id FROM oban_jobs AS job WHERE job.id = found.value)
), last AS (
    SELECT chain.id AS chain, chain.tail AS job
      FROM json_each($2) AS found
      JOIN staffa_flows AS chain ON chain.id = found.value
      JOIN given ON given.id = chain.tail
     UNION
    SELECT last.chain, own.needs_job
      FROM last
      JOIN given ON given.id = last.job
      JOIN staffa_edges AS own ON own.job_id = last.job
       AND own.needs_job IS NOT NULL AND own.on_cancelled IS NOT NULL
)
UPDATE staffa_flows
   SET tail = found.tail
  FROM (SELECT last.chain, max(last.job) AS tail
          FROM last
         WHERE last.job NOT IN (SELECT given.id FROM given)
         GROUP BY last.chain) AS found
 WHERE staffa_flows.id = found.chain;
