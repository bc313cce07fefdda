-- Read outermost flows of a kind, the newest first.
-- $1 text: the kind, $2 text: the flow after which to go on or null, $3 int: how many.
-- Locks: none. Index: staffa_flows_newest; the primary key.
SELECT flow.id, flow.kind, flow.root, flow.parent, flow.name, flow.place, flow.options::text AS options,
       flow.needs, flow.total, flow.suspended, flow.completed, flow.cancelled, flow.discarded,
       flow.deleted, flow.attempted, flow.inner_open, flow.fired,
       flow.inserted_at AT TIME ZONE 'UTC' AS inserted_at,
       flow.finished_at AT TIME ZONE 'UTC' AS finished_at
  FROM :"prefix".staffa_flows AS flow
 WHERE flow.kind = $1::text
   AND flow.parent IS NULL
   AND ($2::text IS NULL
        OR (flow.inserted_at, flow.id) < ((SELECT last.inserted_at FROM :"prefix".staffa_flows AS last
                                            WHERE last.id = $2::text), $2::text))
 ORDER BY flow.inserted_at DESC, flow.id DESC
 LIMIT $3::int;
