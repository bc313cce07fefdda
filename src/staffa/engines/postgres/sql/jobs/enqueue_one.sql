-- Insert a single job, and return it: as enqueue.sql does, but planned in a third of the time.
-- $1 text: queue, $2 text: worker, $3 text: args as JSON, $4 text: meta as JSON, $5 text[]: tags,
-- $6 smallint: priority, $7 smallint: max_attempts, $8 timestamptz: scheduled_at, $9 float8:
-- scheduled_in in seconds, $10 text, $11 text: a channel and a payload, sent at the commit if the job is
-- available at once; null for none.
-- Locks: the new row and, where it notifies, that of all senders while it commits, which a notification
-- would take by itself as well. Index: none.
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
          scheduled_at AT TIME ZONE 'UTC' AS scheduled_at,
          CASE WHEN $10::text IS NOT NULL AND state = 'available'
               THEN pg_notify($10::text, $11::text) IS NOT NULL END AS notified;
