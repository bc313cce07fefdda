-- Tell how it stands with leases whose rows transactions of others may hold: whether each is still
-- ours, and whether another transaction holds its row. By their places in the arrays.
-- $1 bigint[]: ids, $2 int[]: attempt, $3 timestamptz[]: attempted_at, $4 text: producer uuid.
-- Locks: the rows that nobody holds, until the end of the statement; the others are not waited for.
-- Index: the primary key, one probe for each lease; ack.sql says how that is ensured.
WITH running AS MATERIALIZED (
    SELECT lease.place, job.id
      FROM unnest((SELECT $1::bigint[]), (SELECT $2::int[]), (SELECT $3::timestamptz[]))
               WITH ORDINALITY AS lease (id, attempt, attempted_at, place)
      JOIN :"prefix".oban_jobs AS job
        ON job.id = lease.id
       AND job.state::text = 'executing'
       AND job.attempt = lease.attempt
       AND job.attempted_at = timezone('UTC', lease.attempted_at)
       AND job.attempted_by[2] = $4::text
), free AS MATERIALIZED (
    SELECT job.id
      FROM :"prefix".oban_jobs AS job
     WHERE job.id = ANY (ARRAY(SELECT running.id FROM running))
       AND job.state::text = 'executing'
     ORDER BY job.id
       FOR UPDATE SKIP LOCKED
)
SELECT running.place::int AS place, free.id IS NULL AS held
  FROM running
  LEFT JOIN free ON free.id = running.id;
