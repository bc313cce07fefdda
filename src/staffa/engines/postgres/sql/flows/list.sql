-- Read outermost flows of a kind, the newest first.
-- $1 text: the kind, $2 text: the flow after which to go on or null, $3 int: how many.
-- Locks: none. Index: staffa_flows_newest; the primary key.
SELECT flow.id, flow.kind, flow.root, flow.parent, flow.name, flow.place, flow.options::text AS options,
       flow.needs AS needed, flow.total, flow.suspended, flow.completed, flow.cancelled, flow.discarded,
       flow.deleted, flow.attempted, flow.inner_open, flow.fired,
       flow.inserted_at AT TIME ZONE 'UTC' AS inserted_at,
       flow.finished_at AT TIME ZONE 'UTC' AS finished_at
  FROM :"prefix".staffa_flows AS flow
 WHERE flow.kind = $1::text
   AND flow.parent IS NULL
   AND (flow.inserted_at, flow.id) < (
           CASE WHEN $2::text IS NULL THEN timestamp 'infinity'
                ELSE (SELECT last.inserted_at FROM :"prefix".staffa_flows AS last
                       WHERE last.id = $2::text) END,
           coalesce($2::text, ''))
 ORDER BY flow.inserted_at DESC, flow.id DESC
 LIMIT $3::int;
