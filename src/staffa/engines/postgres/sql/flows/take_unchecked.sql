-- Take open flows that nobody has looked at for long, those first that were looked at first; large ones are
-- looked at more rarely.
-- $1 float8: seconds, $2 float8: more seconds for each of its jobs, $3 int: limit.
-- Locks: the rows; those that others hold are skipped, as something happens there. Index: staffa_flows_open,
-- the primary key.
UPDATE :"prefix".staffa_flows AS flow
   SET checked_at = timezone('UTC', clock_timestamp())
 WHERE flow.id = ANY (ARRAY(
           SELECT open.id
             FROM :"prefix".staffa_flows AS open
            WHERE open.finished_at IS NULL
              AND open.checked_at < timezone('UTC', now()) - make_interval(secs => $1::float8)
              AND open.checked_at + make_interval(secs => $2::float8 * open.total)
                  < timezone('UTC', now())
            ORDER BY open.checked_at, open.id
            LIMIT (SELECT $3::int)
              FOR UPDATE SKIP LOCKED
       ))
RETURNING flow.id;
