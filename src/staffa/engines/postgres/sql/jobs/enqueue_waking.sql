-- Insert a single job as enqueue_one.sql does and, if it is available at once, tell of it at the commit.
-- $1 text: queue, $2 text: worker, $3 text: args as JSON, $4 text: meta as JSON, $5 text[]: tags,
-- $6 smallint: priority, $7 smallint: max_attempts, $8 timestamptz: scheduled_at, $9 float8:
-- scheduled_in in seconds, $10 text: channel, $11 text: payload.
-- Locks: the new row and, while it commits, that of all senders, which the notification would take by
-- itself as well. Index: none.
WITH new AS (
    INSERT INTO :"prefix".oban_jobs
        (queue, worker, args, meta, tags, priority, max_attempts, state, inserted_at, scheduled_at)
    VALUES ($1::text, $2::text, $3::text::jsonb, $4::text::jsonb, $5::text[], $6::smallint,
            $7::smallint,
            CASE WHEN coalesce($8::timestamptz,
                               statement_timestamp() + make_interval(secs => $9::float8))
                      > statement_timestamp()
                 THEN 'scheduled' ELSE 'available' END::text:::"prefix".oban_job_state,
            timezone('UTC', statement_timestamp()),
            timezone('UTC', coalesce($8::timestamptz,
                                     statement_timestamp() + make_interval(secs => $9::float8),
                                     statement_timestamp())))
    RETURNING id, state::text AS state,
              inserted_at AT TIME ZONE 'UTC' AS inserted_at,
              scheduled_at AT TIME ZONE 'UTC' AS scheduled_at
)
SELECT new.id, new.state, new.inserted_at, new.scheduled_at,
       CASE WHEN new.state = 'available' THEN pg_notify($10::text, $11::text) END AS told
  FROM new;
