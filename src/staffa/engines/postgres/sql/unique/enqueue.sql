-- Insert jobs, but for unique ones that there are already, and return all in the order given.
-- $1 text: a JSON array of kinds: objects with the columns below, which many jobs have in common.
-- scheduled_in and period are in seconds, states are those in which an earlier job counts, replace has
-- fields by state. $2, $3, $4 text: JSON arrays with each job's args, its key in hexadecimal, and the
-- place of its kind, from 1. The keys, null for jobs that are not unique, were taken by take.sql
-- before, in the same transaction; here none of them comes twice.
-- It must be a statement of its own: only then does its snapshot show what the others that held the
-- keys have committed.
-- What is left of the holders of a key: all that have not ended, and of those that ended in the same
-- way the latest by each timestamp, for the others can't matter any more; at most 100.
-- Times beyond what Python can tell (any client may write them) are cut, or null.
-- Locks: the jobs it overwrites, in the order of their ids. Index: the primary keys; OFFSET keeps the
-- planner from joining whole tables instead of probing them (and three arrays of JSON from expecting
-- so many rows that it compiles the query, which takes longer than to run it), NOT IN and the array keep it from
-- comparing all with all where it expects a handful of rows.
WITH new AS MATERIALIZED (
    SELECT job.ordinality, decode(job.key, 'hex') AS key, kind.queue, kind.worker, job.args,
           kind.meta, kind.tags, kind.priority, kind.max_attempts, kind.states, kind.replace,
           kind.by_schedule, clock.now - make_interval(secs => kind.period) AS since, clock.now,
           coalesce(due.at, clock.now) AS scheduled_at,
           CASE WHEN due.at > clock.now THEN 'scheduled' ELSE 'available' END AS state
      FROM (SELECT timezone('UTC', clock_timestamp()) AS now) AS clock
     CROSS JOIN ROWS FROM (
               json_to_recordset($1::text::json) AS (
                   queue text, worker text, meta jsonb, tags text[],
                   priority smallint, max_attempts smallint,
                   scheduled_at timestamptz, scheduled_in float8,
                   states text[], period float8, by_schedule boolean, replace jsonb
               )
           ) WITH ORDINALITY AS kind
     CROSS JOIN LATERAL (
               SELECT coalesce(timezone('UTC', kind.scheduled_at),
                               clock.now + make_interval(secs => kind.scheduled_in)) AS at
           ) AS due
      JOIN ROWS FROM (
               jsonb_array_elements($2::text::jsonb), jsonb_array_elements_text($3::text::jsonb),
               jsonb_array_elements_text($4::text::jsonb)
           ) WITH ORDINALITY AS job (args, key, kind, ordinality) ON job.kind::bigint = kind.ordinality
), held AS MATERIALIZED (
    SELECT new.ordinality, new.key, earlier.id,
           earlier.state = ANY (new.states)
           AND (new.since IS NULL
                OR CASE WHEN new.by_schedule THEN earlier.scheduled_at
                        ELSE earlier.inserted_at END >= new.since) AS counts,
           earlier.state NOT IN ('completed', 'cancelled', 'discarded')
           OR 1 = row_number() OVER (PARTITION BY new.key, earlier.state
                                     ORDER BY earlier.inserted_at DESC, earlier.id DESC)
           OR 1 = row_number() OVER (PARTITION BY new.key, earlier.state
                                     ORDER BY earlier.scheduled_at DESC, earlier.id DESC) AS stays
      FROM new
     CROSS JOIN LATERAL (
               SELECT found.holders
                 FROM :"prefix".staffa_unique AS found
                WHERE found.key = new.key
               OFFSET 0
           ) AS taken
     CROSS JOIN LATERAL (
               SELECT job.id, job.state::text AS state, job.inserted_at, job.scheduled_at
                 FROM :"prefix".oban_jobs AS job
                WHERE job.id = ANY (taken.holders)
               OFFSET 0
           ) AS earlier
), staying AS MATERIALIZED (
    SELECT held.ordinality, array_agg(held.id ORDER BY held.id DESC) AS ids
      FROM held
     WHERE held.stays
     GROUP BY held.ordinality
), conflict AS MATERIALIZED (
    SELECT held.ordinality, max(held.id) AS id
      FROM held
     WHERE held.counts
     GROUP BY held.ordinality
), wanted AS MATERIALIZED (
    SELECT conflict.id, conflict.ordinality, new.replace
      FROM conflict
      JOIN new ON new.ordinality = conflict.ordinality
     CROSS JOIN LATERAL (
               SELECT job.state::text AS state FROM :"prefix".oban_jobs AS job WHERE job.id = conflict.id OFFSET 0
           ) AS job
     WHERE new.replace ? job.state
), locked AS MATERIALIZED (
    SELECT job.id, job.state::text AS state
      FROM :"prefix".oban_jobs AS job
     WHERE job.id = ANY (ARRAY(SELECT wanted.id FROM wanted))
     ORDER BY job.id
       FOR UPDATE OF job
), target AS MATERIALIZED (
    SELECT locked.id, wanted.ordinality, wanted.replace -> locked.state AS fields,
           locked.state AS previous_state
      FROM wanted
      JOIN locked ON locked.id = wanted.id AND wanted.replace ? locked.state
), replaced AS (
    UPDATE :"prefix".oban_jobs AS job
       SET queue = CASE WHEN target.fields ? 'queue' THEN new.queue ELSE job.queue END,
           worker = CASE WHEN target.fields ? 'worker' THEN new.worker ELSE job.worker END,
           args = CASE WHEN target.fields ? 'args' THEN new.args ELSE job.args END,
           meta = CASE WHEN target.fields ? 'meta' THEN new.meta ELSE job.meta END,
           tags = CASE WHEN target.fields ? 'tags' THEN new.tags ELSE job.tags END,
           priority = CASE WHEN target.fields ? 'priority' THEN new.priority ELSE job.priority END,
           max_attempts = CASE WHEN target.fields ? 'max_attempts'
                               THEN greatest(new.max_attempts, job.attempt)
                               ELSE job.max_attempts END,
           scheduled_at = CASE WHEN target.fields ? 'scheduled_at' THEN new.scheduled_at
                               ELSE job.scheduled_at END,
           state = CASE WHEN target.fields ? 'scheduled_at'
                         AND target.previous_state IN ('available', 'scheduled', 'retryable')
                        THEN new.state::text:::"prefix".oban_job_state
                        ELSE job.state END
      FROM target
      JOIN new ON new.ordinality = target.ordinality
     WHERE job.id = target.id
    RETURNING target.ordinality, job,
              target.previous_state <> 'available' OR target.fields ? 'queue' AS released
), free AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY new.ordinality) AS place, new.*, staying.ids AS staying
      FROM new
      LEFT JOIN staying ON staying.ordinality = new.ordinality
     WHERE new.ordinality NOT IN (SELECT conflict.ordinality FROM conflict)
), written AS (
    INSERT INTO :"prefix".oban_jobs
        (state, queue, worker, args, meta, tags, priority, max_attempts, inserted_at, scheduled_at)
    SELECT free.state::text:::"prefix".oban_job_state, free.queue, free.worker, free.args,
           free.meta, free.tags, free.priority, free.max_attempts, free.now, free.scheduled_at
      FROM free
     ORDER BY free.place
    RETURNING id
), placed AS MATERIALIZED (
    SELECT free.ordinality, free.key, free.state, free.now, free.scheduled_at, free.staying,
           (ARRAY(SELECT written.id FROM written ORDER BY written.id))[free.place] AS id
      FROM free
), kept AS (
    UPDATE :"prefix".staffa_unique AS taken
       SET holders = placed.id || coalesce(placed.staying[1:99], '{}')
      FROM placed
     WHERE taken.key = placed.key
), existing AS (
    SELECT replaced.ordinality, replaced.job, replaced.released
      FROM replaced
     UNION ALL
    SELECT conflict.ordinality, found.job, false
      FROM conflict
     CROSS JOIN LATERAL (
               SELECT job FROM :"prefix".oban_jobs AS job WHERE job.id = conflict.id OFFSET 0
           ) AS found
     WHERE conflict.ordinality NOT IN (SELECT replaced.ordinality FROM replaced)
)
SELECT placed.ordinality, false AS conflict, false AS released, placed.id, placed.state,
       placed.now AT TIME ZONE 'UTC' AS inserted_at,
       placed.scheduled_at AT TIME ZONE 'UTC' AS scheduled_at,
       NULL AS queue, NULL AS worker, NULL AS args, NULL AS meta, NULL::text[] AS tags,
       NULL AS errors, NULL::int AS attempt, NULL::int AS max_attempts, NULL::int AS priority,
       NULL::text[] AS attempted_by, NULL::timestamptz AS attempted_at,
       NULL::timestamptz AS completed_at, NULL::timestamptz AS cancelled_at,
       NULL::timestamptz AS discarded_at
  FROM placed
 UNION ALL
SELECT existing.ordinality, true, existing.released, (job).id, (job).state::text,
       least(greatest((job).inserted_at, timestamp '0001-01-02'), timestamp '9999-12-30')
              AT TIME ZONE 'UTC',
       least(greatest((job).scheduled_at, timestamp '0001-01-02'), timestamp '9999-12-30')
              AT TIME ZONE 'UTC',
       (job).queue, (job).worker, (job).args::text, (job).meta::text, (job).tags,
       to_jsonb((job).errors)::text, (job).attempt, (job).max_attempts, (job).priority,
       (job).attempted_by,
       CASE WHEN (job).attempted_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN (job).attempted_at AT TIME ZONE 'UTC' END,
       CASE WHEN (job).completed_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN (job).completed_at AT TIME ZONE 'UTC' END,
       CASE WHEN (job).cancelled_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN (job).cancelled_at AT TIME ZONE 'UTC' END,
       CASE WHEN (job).discarded_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN (job).discarded_at AT TIME ZONE 'UTC' END
  FROM existing
 ORDER BY ordinality;
