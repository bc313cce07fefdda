-- Insert jobs whose keys nobody has, and take the keys; nothing is written where one of them is found.
-- Returns the ids of those that have a state and its times in common. No rows: nothing was written.
-- It is write_new.sql for a transaction of its own: it fails with 23505 where somebody else had one of
-- the keys all the same, and so leaves nothing to be taken back. That saves a fifth of the time, as
-- ON CONFLICT looks for each key once more, and confirms each row by a record of its own in the WAL.
-- $1 text: a JSON array of runs of jobs that have all but their args in common: objects with the
-- columns below, whose args are an array with those of each job; scheduled_in in seconds.
-- $2 text[]: the jobs' keys in hexadecimal, in their order, without repeats; null for jobs without.
-- $3 text[]: those of them that are looked for.
-- Locks: the rows of the keys, in the order of the keys. Index: the primary key of the keys; OFFSET
-- keeps the planner from reading all of them.
WITH known AS MATERIALIZED (
    SELECT count(*) AS keys
      FROM (SELECT
              FROM unnest($3::text[]) AS given (key)
             CROSS JOIN LATERAL (
                       SELECT FROM :"prefix".staffa_unique AS found
                        WHERE found.key = decode(given.key, 'hex')
                       OFFSET 0
                   ) AS there
             LIMIT 1) AS one
), written AS (
    INSERT INTO :"prefix".oban_jobs
        (state, queue, worker, args, meta, tags, priority, max_attempts, inserted_at, scheduled_at)
    SELECT CASE WHEN due.at > clock.now THEN 'scheduled' ELSE 'available' END::text::
               :"prefix".oban_job_state,
           run.queue, run.worker, job.args, run.meta, run.tags, run.priority, run.max_attempts,
           clock.now, coalesce(due.at, clock.now)
      FROM (SELECT timezone('UTC', clock_timestamp()) AS now) AS clock
     CROSS JOIN ROWS FROM (
               json_to_recordset($1::text::json) AS (
                   queue text, worker text, args jsonb, meta jsonb, tags text[],
                   priority smallint, max_attempts smallint,
                   scheduled_at timestamptz, scheduled_in float8
               )
           ) WITH ORDINALITY AS run
     CROSS JOIN LATERAL (
               SELECT coalesce(timezone('UTC', run.scheduled_at),
                               clock.now + make_interval(secs => run.scheduled_in)) AS at
           ) AS due
     CROSS JOIN LATERAL jsonb_array_elements(run.args) WITH ORDINALITY AS job (args, place)
     WHERE (SELECT known.keys FROM known) = 0
     ORDER BY run.ordinality, job.place
    RETURNING id, state::text AS state, inserted_at, scheduled_at
), taken AS (
    INSERT INTO :"prefix".staffa_unique (key, holders)
    SELECT decode(placed.key, 'hex') AS key, ARRAY[placed.id]
      FROM ROWS FROM (
               unnest($2::text[]),
               unnest(ARRAY(SELECT written.id FROM written ORDER BY written.id))
           ) AS placed (key, id)
     WHERE placed.key IS NOT NULL AND placed.id IS NOT NULL
     ORDER BY 1
)
SELECT array_agg(written.id ORDER BY written.id) AS ids, written.state,
       written.inserted_at AT TIME ZONE 'UTC' AS inserted_at,
       written.scheduled_at AT TIME ZONE 'UTC' AS scheduled_at
  FROM written
 GROUP BY written.state, written.inserted_at, written.scheduled_at;
