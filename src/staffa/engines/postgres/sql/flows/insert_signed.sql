-- Insert jobs of flows as insert.sql does, where limits are known: those of a queue with partitions get their key.
-- $1 text: a JSON array of runs of jobs that have all but their args in common: objects with the
-- columns below, whose args are an array with those of each job; scheduled_in in seconds; waits: whether
-- they wait for others.
-- Locks: only the new rows. Index: the primary key of staffa_limits, a table of few rows.
WITH written AS (
    INSERT INTO :"prefix".oban_jobs
        (state, queue, worker, args, meta, tags, priority, max_attempts, inserted_at, scheduled_at)
    SELECT CASE WHEN run.waits THEN 'suspended'
                WHEN due.at > clock.now THEN 'scheduled' ELSE 'available' END::text::
               :"prefix".oban_job_state,
           run.queue, run.worker, job.args,
           CASE WHEN limits.queue IS NULL THEN run.meta
                ELSE run.meta || jsonb_build_object('partition_key', :"prefix".staffa_partition_key(
                         limits.fields, run.worker, job.args, run.meta)) END,
           run.tags, run.priority, run.max_attempts,
           clock.now, coalesce(due.at, clock.now)
      FROM (SELECT timezone('UTC', clock_timestamp()) AS now) AS clock
     CROSS JOIN ROWS FROM (
               json_to_recordset($1::text::json) AS (
                   queue text, worker text, args jsonb, meta jsonb, tags text[],
                   priority smallint, max_attempts smallint,
                   scheduled_at timestamptz, scheduled_in float8, waits boolean
               )
           ) WITH ORDINALITY AS run
     CROSS JOIN LATERAL (
               SELECT coalesce(timezone('UTC', run.scheduled_at),
                               clock.now + make_interval(secs => run.scheduled_in)) AS at
           ) AS due
     CROSS JOIN LATERAL jsonb_array_elements(run.args) WITH ORDINALITY AS job (args, place)
      LEFT JOIN :"prefix".staffa_limits AS limits ON limits.queue = run.queue AND limits.fields <> '{}'
     ORDER BY run.ordinality, job.place
    RETURNING id, state::text AS state, meta
), members AS (
    INSERT INTO :"prefix".staffa_members (flow, job_id)
    SELECT named.flow, written.id
      FROM written
     CROSS JOIN LATERAL (VALUES (written.meta ->> 'workflow_id'), (written.meta ->> 'batch_id')) AS named (flow)
     WHERE named.flow IS NOT NULL
)
SELECT written.id, written.state
  FROM written;
