-- Give jobs that still wait as they were read new priorities, and note what their own ones are.
-- $1: a JSON array of arrays: id, since when it was due, the priority that was read, its own priority,
-- the new one.
-- Index: the primary key; +job.state matches no index on the state.
WITH risen AS MATERIALIZED (
    SELECT job.id, given.value ->> '$[3]' AS own, given.value ->> '$[4]' AS priority
      FROM json_each($1) AS given
     CROSS JOIN oban_jobs AS job
     WHERE job.id = given.value ->> '$[0]'
       AND +job.state = 'available'
       AND job.scheduled_at = given.value ->> '$[1]'
       AND job.priority = given.value ->> '$[2]'
)
UPDATE oban_jobs
   SET priority = risen.priority,
       meta = staffa_merge(oban_jobs.meta, json_object(
                  'staffa_aged', json_object('from', risen.own, 'to', risen.priority)))
  FROM risen
 WHERE oban_jobs.id = risen.id
RETURNING id;
