-- Read the time, and the jobs that may still count for keys; a row without a key comes back where
-- there are none.
-- $1: the keys, a JSON array.
-- Index: the primary keys.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
), held AS MATERIALIZED (
    SELECT taken.key, job.id, job.state, job.inserted_at, job.scheduled_at
      FROM json_each($1) AS given
     CROSS JOIN staffa_unique AS taken
     CROSS JOIN json_each(taken.holders) AS holder
     CROSS JOIN oban_jobs AS job
     WHERE taken.key = given.value
       AND job.id = holder.value
)
SELECT clock.now, held.key, held.id, held.state, held.inserted_at AS inserted,
       held.scheduled_at AS scheduled
  FROM clock
  LEFT JOIN held;
