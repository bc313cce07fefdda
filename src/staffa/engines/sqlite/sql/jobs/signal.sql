-- Give unfinished jobs a signal, and make those available at once that are parked until it comes. The
-- first signal of a name stays: a later one changes nothing, nor does one whose wait has timed out.
-- $1: ids, a JSON array; $2: the signal's name; $3: JSON of its payload.
-- Index: the primary key; +job.state matches no index on the state.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
), target AS MATERIALIZED (
    SELECT job.id, clock.now,
           job.state = 'scheduled' AND staffa_is_parked(job.meta, $2) AS parked
      FROM clock
     CROSS JOIN json_each($1) AS given
     CROSS JOIN oban_jobs AS job
     WHERE job.id = given.value
       AND +job.state NOT IN ('completed', 'discarded', 'cancelled')
       AND staffa_takes_signal(job.meta, $2)
)
UPDATE oban_jobs
   SET state = CASE WHEN target.parked THEN 'available' ELSE oban_jobs.state END,
       scheduled_at = CASE WHEN target.parked THEN target.now ELSE oban_jobs.scheduled_at END,
       meta = staffa_signal(oban_jobs.meta, $2, $3, target.now)
  FROM target
 WHERE oban_jobs.id = target.id
RETURNING id, queue, state;
