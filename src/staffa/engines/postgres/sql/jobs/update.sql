-- Change columns of jobs and return the jobs; the flows that they belong to stay, and none come: keys of meta that
-- would tell otherwise are left out. A new time makes an unstarted job scheduled, or available where that time has passed. The key of its partition stays: a running job takes a slot there,
-- and the claim sees whether it is still the right one. A limit below the attempts that were used becomes their number.
-- $1 text: a JSON object of the columns to change, where scheduled_in is seconds from now; $2 bool: whether
-- the JSON of the jobs, which may be large, is returned; the filter's parameters follow.
-- Times beyond what Python can tell (any client may write them) are cut, or null.
-- Locks: the rows, in the order of their ids; cancel.sql tells of SKIP LOCKED.
-- Index: the primary key; the filter names the ids.
WITH target AS MATERIALIZED (
    SELECT job.id, job.state::text AS previous_state, job.meta, $1::text::jsonb AS changes,
           clock.now,
           coalesce(
               timezone('UTC', ($1::text::jsonb ->> 'scheduled_at')::timestamptz),
               clock.now + make_interval(secs => ($1::text::jsonb ->> 'scheduled_in')::float8)
           ) AS due
      FROM :"prefix".oban_jobs AS job
     CROSS JOIN (SELECT timezone('UTC', clock_timestamp()) AS now) AS clock
     WHERE false /* filter */
     ORDER BY job.id
       FOR UPDATE /* SKIP LOCKED */
)
UPDATE :"prefix".oban_jobs AS job
   SET queue = coalesce(target.changes ->> 'queue', job.queue),
       worker = coalesce(target.changes ->> 'worker', job.worker),
       args = coalesce(target.changes -> 'args', job.args),
       meta = CASE WHEN target.changes ? 'meta'
                   THEN coalesce((
                            SELECT jsonb_object_agg(own.key, own.value)
                              FROM jsonb_each(CASE WHEN jsonb_typeof(job.meta) = 'object'
                                                   THEN job.meta ELSE '{}' END) AS own
                             WHERE own.key IN ('encrypted', 'recorded', 'partition_key')
                                OR starts_with(own.key, 'staffa_')
                        ), '{}') || ((target.changes -> 'meta') - link.keys) || coalesce((
                            SELECT jsonb_object_agg(kept.key, kept.value)
                              FROM jsonb_each(job.meta) AS kept
                             WHERE link.linked AND kept.key = ANY (link.keys)
                        ), '{}')
                   ELSE job.meta END,
       tags = CASE WHEN target.changes ? 'tags'
                   THEN ARRAY(SELECT jsonb_array_elements_text(target.changes -> 'tags'))
                   ELSE job.tags END,
       priority = coalesce((target.changes ->> 'priority')::int, job.priority),
       max_attempts = coalesce(
           greatest((target.changes ->> 'max_attempts')::int,
                    CASE WHEN target.changes ? 'max_attempts' THEN job.attempt END),
           job.max_attempts),
       scheduled_at = coalesce(target.due, job.scheduled_at),
       state = CASE WHEN target.due IS NULL OR job.state NOT IN ('available', 'scheduled', 'retryable')
                    THEN job.state
                    WHEN target.due > target.now THEN 'scheduled'
                    ELSE 'available' END
  FROM target
 CROSS JOIN LATERAL (
           SELECT held.meta ?| ARRAY['workflow_id', 'batch_id', 'chain_id'] AS linked,
                  CASE WHEN held.meta ? 'workflow_id'
                       THEN ARRAY['workflow_id', 'batch_id', 'chain_id', 'callback', 'name', 'deps', 'cascade',
                                  'graft', 'grafted']
                       WHEN held.meta ?| ARRAY['batch_id', 'chain_id']
                       THEN ARRAY['workflow_id', 'batch_id', 'chain_id', 'callback']
                       ELSE ARRAY(
                                SELECT named.key
                                  FROM unnest(ARRAY['workflow_id', 'batch_id', 'chain_id']) AS named (key)
                                 WHERE EXISTS (
                                           SELECT FROM :"prefix".staffa_flows AS flow
                                            WHERE flow.id = target.changes -> 'meta' ->> named.key)) END
                      AS keys
             FROM (SELECT CASE WHEN jsonb_typeof(target.meta) = 'object' THEN target.meta ELSE '{}' END
                          AS meta) AS held
       ) AS link
 WHERE job.id = target.id
RETURNING job.id, job.state::text AS state, target.previous_state, job.queue, job.worker, job.tags,
       CASE WHEN $2::bool THEN job.args::text END AS args,
       CASE WHEN $2::bool THEN job.meta::text END AS meta,
       CASE WHEN $2::bool THEN to_jsonb(job.errors)::text END AS errors, job.attempt,
       job.max_attempts, job.priority, job.attempted_by,
       least(greatest(job.inserted_at, timestamp '0001-01-02'), timestamp '9999-12-30')
              AT TIME ZONE 'UTC' AS inserted_at,
       least(greatest(job.scheduled_at, timestamp '0001-01-02'), timestamp '9999-12-30')
              AT TIME ZONE 'UTC' AS scheduled_at,
       CASE WHEN job.attempted_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN job.attempted_at AT TIME ZONE 'UTC' END AS attempted_at,
       CASE WHEN job.completed_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN job.completed_at AT TIME ZONE 'UTC' END AS completed_at,
       CASE WHEN job.cancelled_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN job.cancelled_at AT TIME ZONE 'UTC' END AS cancelled_at,
       CASE WHEN job.discarded_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN job.discarded_at AT TIME ZONE 'UTC' END AS discarded_at;
