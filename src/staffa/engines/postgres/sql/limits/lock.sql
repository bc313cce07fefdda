-- Take the limits of a queue: whoever else claims under them waits until this transaction ends, which the
-- server sees to where its process stands still. What counts running jobs must be a statement after this
-- one: only then does its snapshot show what the others have claimed. The row is written, so that a claim
-- in one statement (claim.sql, claim_in_turns.sql) notices whom it has waited for.
-- $1 text: queue.
-- Locks: the row. Index: the primary key.
WITH bounded AS MATERIALIZED (
    SELECT set_config('idle_in_transaction_session_timeout', '5s', true)
)
UPDATE :"prefix".staffa_limits AS known
   SET used_at = greatest(timezone('UTC', clock_timestamp()), known.used_at + interval '1 microsecond')
  FROM bounded
 WHERE known.queue = $1::text
RETURNING known.options::text AS options, known.cursors::text AS cursors, known.sweep::text AS sweep,
          known.used_at AT TIME ZONE 'UTC' AS used_at, clock_timestamp() AS read_at;
