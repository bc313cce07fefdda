-- Read outermost flows of a kind, the newest first.
-- $1: the kind, $2: the flow after which to go on or null, $3: how many.
-- Index: staffa_flows_newest; the primary key.
SELECT flow.id, flow.kind, flow.root, flow.parent, flow.name, flow.place, flow.options, flow.needs AS needed,
       flow.total, flow.suspended, flow.completed, flow.cancelled, flow.discarded, flow.deleted,
       flow.attempted, flow.inner_open, flow.fired, flow.inserted_at, flow.finished_at
  FROM staffa_flows AS flow
 WHERE flow.kind = $1
   AND flow.parent IS NULL
   AND (flow.inserted_at, flow.id) < (
           CASE WHEN $2 IS NULL THEN '~'
                ELSE (SELECT last.inserted_at FROM staffa_flows AS last WHERE last.id = $2) END,
           coalesce($2, ''))
 ORDER BY flow.inserted_at DESC, flow.id DESC
 LIMIT $3;
