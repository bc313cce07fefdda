-- Tie jobs that this transaction has written to the ends of their chains, each to the one before it,
-- and return those that wait.
-- $1 text: a JSON array of pairs: the id of a job and the place of its kind, in the order of the jobs;
-- $2 text: the kinds, a JSON array of arrays: the chain, on_cancelled, on_discarded.
-- The chains are taken, so that their last jobs don't end meanwhile. One that was cancelled may have
-- waited itself: what it waited for is waited for then. A step of a workflow may depend on the same job: then both
-- are one edge, with the stricter policies ("cancel" comes before "hold", and that before "ignore").
-- Locks: the new jobs, then the rows of the chains, which are ours already. Index: the primary keys,
-- staffa_edges_job (see migration 11 for ::int = 0); ARRAY hides from the planner how many jobs there are, see
-- jobs/ack.sql.
WITH RECURSIVE kind AS (
    SELECT found.place, found.value ->> 0 AS chain, found.value ->> 1 AS on_cancelled,
           found.value ->> 2 AS on_discarded
      FROM json_array_elements($2::text::json) WITH ORDINALITY AS found (value, place)
), given AS MATERIALIZED (
    SELECT (found.value ->> 0)::bigint AS id, found.place, kind.chain, kind.on_cancelled,
           kind.on_discarded,
           lag((found.value ->> 0)::bigint) OVER (PARTITION BY kind.chain ORDER BY found.place)
               AS earlier
      FROM json_array_elements($1::text::json) WITH ORDINALITY AS found (value, place)
      JOIN kind ON kind.place = (found.value ->> 1)::integer + 1
), foremost AS MATERIALIZED (
    SELECT given.id, given.on_cancelled, given.on_discarded, tail.id AS tail,
           tail.state::text AS state
      FROM given
      JOIN :"prefix".staffa_flows AS chain ON chain.id = given.chain COLLATE "C"
      JOIN :"prefix".oban_jobs AS tail ON tail.id = chain.tail
     WHERE given.earlier IS NULL
), before AS (
    SELECT foremost.id, edge.needs_job AS needed, edge.ended IS NULL AS open, job.state::text AS state,
           foremost.on_cancelled, foremost.on_discarded
      FROM foremost
      JOIN :"prefix".staffa_edges AS edge
        ON edge.job_id = foremost.tail
       AND (edge.needs_job IS NULL)::int = 0
       AND edge.on_cancelled IS NOT NULL
      JOIN :"prefix".oban_jobs AS job ON job.id = edge.needs_job
     WHERE foremost.state = 'cancelled'
     UNION
    SELECT before.id, edge.needs_job, edge.ended IS NULL, job.state::text, before.on_cancelled,
           before.on_discarded
      FROM before
     CROSS JOIN LATERAL (
               SELECT edge.needs_job, edge.ended
                 FROM :"prefix".staffa_edges AS edge
                WHERE edge.job_id = before.needed AND (edge.needs_job IS NULL)::int = 0
                  AND edge.on_cancelled IS NOT NULL
               OFFSET 0
           ) AS edge
     CROSS JOIN LATERAL (
               SELECT job.state FROM :"prefix".oban_jobs AS job WHERE job.id = edge.needs_job OFFSET 0
           ) AS job
     WHERE before.state = 'cancelled'
), needs AS MATERIALIZED (
    SELECT given.id, given.earlier AS needed, given.on_cancelled, given.on_discarded
      FROM given
     WHERE given.earlier IS NOT NULL
     UNION ALL
    SELECT foremost.id, foremost.tail, foremost.on_cancelled, foremost.on_discarded
      FROM foremost
     WHERE CASE foremost.state
               WHEN 'completed' THEN false
               WHEN 'cancelled' THEN foremost.on_cancelled = 'hold'
               WHEN 'discarded' THEN foremost.on_discarded = 'hold'
               ELSE true
           END
     UNION ALL
    SELECT DISTINCT before.id, before.needed, before.on_cancelled, before.on_discarded
      FROM before
     WHERE CASE before.state
               WHEN 'completed' THEN false
               WHEN 'cancelled' THEN before.open AND before.on_cancelled = 'hold'
               WHEN 'discarded' THEN before.open AND before.on_discarded = 'hold'
               ELSE true
           END
), known AS MATERIALIZED (
    SELECT needs.id, needs.needed, strict.on_cancelled, strict.on_discarded, step.on_deleted,
           CASE edge.ended WHEN 'cancelled' THEN strict.on_cancelled
                           WHEN 'discarded' THEN strict.on_discarded END IS NOT DISTINCT FROM 'hold'
               AS opens
      FROM needs
     CROSS JOIN LATERAL (
               SELECT edge.ended
                 FROM :"prefix".staffa_edges AS edge
                WHERE edge.job_id = needs.id AND edge.needs_job = needs.needed
               OFFSET 0
           ) AS edge
      JOIN :"prefix".staffa_steps AS step ON step.job_id = needs.id
     CROSS JOIN LATERAL (
               SELECT least(step.on_cancelled, needs.on_cancelled) COLLATE "C" AS on_cancelled,
                      least(step.on_discarded, needs.on_discarded) COLLATE "C" AS on_discarded
           ) AS strict
), waiting AS MATERIALIZED (
    SELECT needs.id, count(*) AS open
      FROM needs
      LEFT JOIN known ON known.id = needs.id AND known.needed = needs.needed
     WHERE known.opens IS NOT FALSE
     GROUP BY needs.id
), strict AS (
    UPDATE :"prefix".staffa_edges AS edge
       SET on_cancelled = known.on_cancelled,
           on_discarded = known.on_discarded,
           on_deleted = known.on_deleted,
           ended = CASE WHEN NOT known.opens THEN edge.ended END
      FROM known
     WHERE edge.job_id = known.id
       AND edge.needs_job = known.needed
), edges AS (
    INSERT INTO :"prefix".staffa_edges
        (job_id, needs_job, on_cancelled, on_discarded, on_deleted)
    SELECT needs.id, needs.needed, needs.on_cancelled, needs.on_discarded, 'ignore'
      FROM needs
     WHERE (needs.id, needs.needed) NOT IN (SELECT known.id, known.needed FROM known)
), steps AS (
    INSERT INTO :"prefix".staffa_steps AS step (job_id, root, open)
    SELECT waiting.id, given.chain, waiting.open
      FROM waiting
      JOIN given ON given.id = waiting.id
    ON CONFLICT (job_id) DO UPDATE
       SET open = step.open + excluded.open
), suspended AS (
    UPDATE :"prefix".oban_jobs AS job
       SET state = 'suspended'
     WHERE job.id = ANY (ARRAY(SELECT waiting.id FROM waiting ORDER BY 1))
       AND job.state IN ('available', 'scheduled')
    RETURNING job.id
), counted AS (
    SELECT given.chain, count(*) AS total,
           count(*) FILTER (WHERE job.state = 'suspended' OR waiting.id IS NOT NULL) AS suspended,
           (array_agg(given.id ORDER BY given.place DESC))[1] AS tail
      FROM given
      JOIN :"prefix".oban_jobs AS job ON job.id = given.id
      LEFT JOIN waiting ON waiting.id = given.id
     GROUP BY given.chain
), chains AS (
    UPDATE :"prefix".staffa_flows AS chain
       SET tail = counted.tail,
           total = chain.total + counted.total,
           suspended = chain.suspended + counted.suspended,
           finished_at = NULL
      FROM counted
     WHERE chain.id = counted.chain COLLATE "C"
)
SELECT suspended.id
  FROM suspended;
