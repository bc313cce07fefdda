-- Change columns of jobs and return the jobs; the flows that they belong to stay, and none come: keys of meta that
-- would tell otherwise are left out. A new time makes an unstarted job scheduled, or available where that time has passed. A limit below the attempts that were used becomes their number.
-- $1: a JSON object of the columns to change, where scheduled_in is seconds from now; $2: whether the
-- JSON of the jobs, which may be large, is returned; the filter's parameters follow.
-- Index: the primary key; the filter names the ids.
WITH clock AS MATERIALIZED (
    SELECT now.at AS now,
           coalesce(staffa_utc($1 ->> '$.scheduled_at'),
                    staffa_add(now.at, $1 ->> '$.scheduled_in')) AS due
      FROM (SELECT staffa_now() AS at) AS now
), strange AS MATERIALIZED (
    SELECT json_group_array(named.value) AS keys
      FROM json_each('["workflow_id", "batch_id", "chain_id"]') AS named
     WHERE EXISTS (SELECT 1 FROM staffa_flows AS flow
                    WHERE flow.id = $1 -> '$.meta' ->> named.value)
)
UPDATE oban_jobs AS job
   SET queue = coalesce($1 ->> '$.queue', job.queue),
       worker = coalesce($1 ->> '$.worker', job.worker),
       args = coalesce($1 -> '$.args', job.args),
       meta = CASE WHEN json_type($1, '$.meta') IS NULL THEN job.meta
                   ELSE staffa_replace(job.meta, $1 -> '$.meta', (SELECT strange.keys FROM strange)) END,
       tags = coalesce($1 -> '$.tags', job.tags),
       priority = coalesce($1 ->> '$.priority', job.priority),
       max_attempts = coalesce(max($1 ->> '$.max_attempts', job.attempt), job.max_attempts),
       scheduled_at = coalesce((SELECT clock.due FROM clock), job.scheduled_at),
       state = CASE WHEN (SELECT clock.due FROM clock) IS NULL
                      OR job.state NOT IN ('available', 'scheduled', 'retryable')
                    THEN job.state
                    WHEN (SELECT clock.due > clock.now FROM clock) THEN 'scheduled'
                    ELSE 'available' END
 WHERE false /* filter */
RETURNING id, state, queue, worker, tags, CASE WHEN $2 THEN args END AS args,
          CASE WHEN $2 THEN meta END AS meta, CASE WHEN $2 THEN errors END AS errors, attempt,
          max_attempts, priority, attempted_by, inserted_at, scheduled_at, attempted_at, completed_at,
          cancelled_at, discarded_at;
