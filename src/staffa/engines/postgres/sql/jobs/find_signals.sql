-- Read the signals that running jobs have got, where their leases are still ours, and the time.
-- $1 bigint[]: id, $2 int[]: attempt, $3 timestamptz[]: attempted_at, $4 text: producer uuid.
-- Locks: none. Index: the primary key, one probe for each lease; ack.sql says how that is ensured.
SELECT lease.place::int AS place, (job.meta -> 'staffa_signals')::text AS signals,
       clock_timestamp() AS read_at
  FROM unnest((SELECT $1::bigint[]), (SELECT $2::int[]), (SELECT $3::timestamptz[]))
           WITH ORDINALITY AS lease (id, attempt, attempted_at, place)
  JOIN :"prefix".oban_jobs AS job
    ON job.id = lease.id
   AND job.state::text = 'executing'
   AND job.attempt = lease.attempt
   AND job.attempted_at = timezone('UTC', lease.attempted_at)
   AND job.attempted_by[2] = $4::text;
