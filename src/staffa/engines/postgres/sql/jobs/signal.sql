-- Give unfinished jobs a signal, and make those available at once that are parked until it comes. The
-- first signal of a name stays: a later one changes nothing, nor does one whose wait has timed out. Any
-- client may have written anything into meta: what is no object counts as none.
-- $1 bigint[]: ids, $2 text: the signal's name, $3 text: JSON of its payload.
-- Locks: the rows, in the order of their ids. Index: the primary key; (SELECT $1) is there for the reason
-- that ack.sql gives.
WITH target AS MATERIALIZED (
    SELECT job.id, timezone('UTC', clock_timestamp()) AS now,
           job.state::text = 'scheduled'
               AND CASE WHEN jsonb_typeof(job.meta -> 'staffa_parked') = 'array'
                        THEN job.meta -> 'staffa_parked' ? $2::text ELSE false END AS parked
      FROM :"prefix".oban_jobs AS job
     WHERE job.id = ANY ((SELECT $1::bigint[])::bigint[])
       AND job.state::text NOT IN ('completed', 'discarded', 'cancelled')
       AND jsonb_typeof(job.meta #> ARRAY['staffa_signals', $2::text]) IS DISTINCT FROM 'object'
       AND (job.meta #> ARRAY['staffa_awaits', $2::text, 'timed_out']) IS DISTINCT FROM 'true'
     ORDER BY job.id
       FOR UPDATE
)
UPDATE :"prefix".oban_jobs AS job
   SET state = CASE WHEN target.parked THEN 'available' ELSE job.state END,
       scheduled_at = CASE WHEN target.parked THEN target.now ELSE job.scheduled_at END,
       meta = CASE WHEN jsonb_typeof(job.meta) = 'object' THEN job.meta ELSE '{}' END
           || jsonb_build_object(
               'staffa_signals',
               CASE WHEN jsonb_typeof(job.meta -> 'staffa_signals') = 'object'
                    THEN job.meta -> 'staffa_signals' ELSE '{}' END
               || jsonb_build_object($2::text, jsonb_build_object(
                      'payload', $3::text::jsonb,
                      'at', to_char(target.now, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))))
  FROM target
 WHERE job.id = target.id
RETURNING job.id, job.queue, job.state::text AS state;
