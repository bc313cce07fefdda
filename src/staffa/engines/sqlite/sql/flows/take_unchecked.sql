-- Take open flows that nobody has looked at for long, those first that were looked at first; large ones are
-- looked at more rarely.
-- $1: seconds, $2: more seconds for each of its jobs, $3: limit.
-- Index: staffa_flows_open, the primary key.
UPDATE staffa_flows
   SET checked_at = staffa_now()
 WHERE id IN (
           SELECT open.id
             FROM staffa_flows AS open
            WHERE open.finished_at IS NULL
              AND open.checked_at < staffa_add(staffa_now(), -$1)
              AND staffa_add(open.checked_at, $2 * open.total) < staffa_now()
            ORDER BY open.checked_at, open.id
            LIMIT $3
       )
RETURNING id;
