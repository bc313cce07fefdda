-- Let steps go on that wait for nothing any more, and tell how many of each queue, state and flows. Those that
-- have been changed meanwhile are left alone, and those with a deadline are left to release_dated.sql.
-- $1 bigint[]: the jobs, in the order of their ids.
-- Locks: the rows. Others that would change them wait for the root, or skip what is locked.
-- Index: the primary key; see ack.sql for state::text.
WITH released AS (
    UPDATE :"prefix".oban_jobs AS job
       SET state = CASE WHEN job.scheduled_at > clock.now THEN 'scheduled'
                        ELSE 'available' END::text:::"prefix".oban_job_state,
           scheduled_at = greatest(job.scheduled_at, clock.now)
      FROM unnest((SELECT $1::bigint[])) AS given (id)
     CROSS JOIN (SELECT timezone('UTC', clock_timestamp()) AS now) AS clock
     WHERE job.id = given.id
       AND job.state::text = 'suspended'
       AND NOT job.meta ? 'staffa_deadline'
    RETURNING job.queue, job.state, job.meta
)
SELECT released.queue, released.state::text AS state,
       released.meta ->> 'workflow_id' AS workflow, released.meta ->> 'batch_id' AS batch,
       released.meta ->> 'chain_id' AS chain, released.meta ? 'callback' AS callback,
       count(*) AS count
  FROM released
 GROUP BY 1, 2, 3, 4, 5, 6;
