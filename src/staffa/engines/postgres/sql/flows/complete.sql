-- Write the outcomes of jobs of flows that have completed, with nothing to add, and whose leases are still ours; close
-- the edges to them; and let steps go on that wait for nothing any more, but for those with a deadline. Return the ids
-- written, the steps that went on (as release.sql does, in JSON), and those that may, but did not.
-- It does what jobs/complete.sql, close_completed.sql and release.sql do, in one round trip: while the worker is busy
-- with other jobs, each takes as long as some of these statements.
-- $1 bigint[]: id, $2 int[]: attempt, $3 int[]: which of $4, $4 timestamptz[]: attempted_at, one for each claim,
-- $5 text: producer uuid. The roots are locked by a statement before, so that this one sees all edges.
-- Locks: the rows of the jobs, in the order of their ids; those that others hold are skipped if they must not be waited
-- for. Then the edges, the steps, and the rows of those that go on, as release.sql does.
-- Index: the primary keys, staffa_edges_needs_job, staffa_edges_job; see jobs/ack.sql for
-- state::text, and close_jobs.sql for OFFSET 0 and ::int <> 0.
WITH written AS (
    UPDATE :"prefix".oban_jobs AS job
       SET state = 'completed',
           completed_at = (SELECT timezone('UTC', clock_timestamp()))
     WHERE job.id = ANY (ARRAY(
               SELECT held.id
                 FROM unnest((SELECT $1::bigint[]), (SELECT $2::int[]), (SELECT $3::int[]))
                          AS given (id, attempt, claim)
                 JOIN :"prefix".oban_jobs AS held
                   ON held.id = given.id
                  AND held.state::text = 'executing'
                  AND held.attempt = given.attempt
                  AND held.attempted_at = timezone('UTC', ($4::timestamptz[])[given.claim])
                  AND held.attempted_by[2] = $5::text
                ORDER BY held.id
                  FOR UPDATE OF held /* SKIP LOCKED */
           ))
    RETURNING job.id
), due AS MATERIALIZED (
    SELECT edge.job_id, edge.needs_job
      FROM written
     CROSS JOIN LATERAL (
               SELECT edge.job_id, edge.needs_job
                 FROM :"prefix".staffa_edges AS edge
                WHERE edge.needs_job = written.id AND edge.ended IS NULL
               OFFSET 0
           ) AS edge
), closed AS (
    UPDATE :"prefix".staffa_edges AS edge
       SET ended = 'completed'
      FROM due
     WHERE edge.job_id = due.job_id
       AND edge.needs_job = due.needs_job
       AND (edge.ended IS NULL)::int <> 0
    RETURNING edge.job_id
), by_step AS MATERIALIZED (
    SELECT closed.job_id, count(*) AS closed
      FROM closed
     GROUP BY closed.job_id
), lowered AS (
    UPDATE :"prefix".staffa_steps AS step
       SET open = step.open - by_step.closed
      FROM by_step
     WHERE step.job_id = by_step.job_id
    RETURNING step.job_id, step.open, step.held
), going AS MATERIALIZED (
    SELECT lowered.job_id
      FROM lowered
     WHERE lowered.open <= 0
       AND NOT lowered.held
), released AS (
    UPDATE :"prefix".oban_jobs AS job
       SET state = CASE WHEN job.scheduled_at > clock.now THEN 'scheduled'
                        ELSE 'available' END::text:::"prefix".oban_job_state,
           scheduled_at = greatest(job.scheduled_at, clock.now)
      FROM going
     CROSS JOIN (SELECT timezone('UTC', clock_timestamp()) AS now) AS clock
     WHERE job.id = going.job_id
       AND job.state::text = 'suspended'
       AND NOT job.meta ? 'staffa_deadline'
    RETURNING job.id, job.queue, job.state, job.meta
), counted AS (
    SELECT released.queue, released.state::text AS state,
           released.meta ->> 'workflow_id' AS workflow, released.meta ->> 'batch_id' AS batch,
           released.meta ->> 'chain_id' AS chain, released.meta ? 'callback' AS callback,
           count(*) AS count
      FROM released
     GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT (SELECT array_agg(written.id) FROM written) AS ids,
       (SELECT json_agg(counted)::text FROM counted) AS released,
       CASE WHEN (SELECT count(*) FROM going) > (SELECT count(*) FROM released)
            THEN ARRAY(SELECT going.job_id FROM going EXCEPT ALL SELECT released.id FROM released)
            END AS going;
