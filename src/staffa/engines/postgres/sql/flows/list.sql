-- Read outermost flows of a kind, the newest first, with the counts of those of this kind inside of them added to
-- their own.
-- $1 text: the kind, $2 text: the flow after which to go on or null, $3 int: how many.
-- Locks: none. Index: staffa_flows_newest, staffa_flows_parent; the primary key.
-- OFFSET 0 has the index asked for each flow: the planner takes the tables of flows for small.
WITH RECURSIVE newest AS MATERIALIZED (
    SELECT flow.*
      FROM :"prefix".staffa_flows AS flow
     WHERE flow.kind = $1::text
       AND flow.parent IS NULL
       AND (flow.inserted_at, flow.id) < (
               CASE WHEN $2::text IS NULL THEN timestamp 'infinity'
                    ELSE (SELECT last.inserted_at FROM :"prefix".staffa_flows AS last
                           WHERE last.id = $2::text) END,
               coalesce($2::text, ''))
     ORDER BY flow.inserted_at DESC, flow.id DESC
     LIMIT $3::int
), tree AS (
    SELECT newest.id AS top, newest.id, newest.total, newest.suspended, newest.completed, newest.cancelled,
           newest.discarded, newest.deleted, newest.attempted
      FROM newest
     UNION ALL
    SELECT tree.top, flow.id, flow.total, flow.suspended, flow.completed, flow.cancelled, flow.discarded,
           flow.deleted, flow.attempted
      FROM tree
     CROSS JOIN LATERAL (
               SELECT part.*
                 FROM :"prefix".staffa_flows AS part
                WHERE part.parent = tree.id AND part.kind = $1::text
               OFFSET 0
           ) AS flow
), summed AS (
    SELECT tree.top, sum(tree.total) AS total, sum(tree.suspended) AS suspended,
           sum(tree.completed) AS completed, sum(tree.cancelled) AS cancelled,
           sum(tree.discarded) AS discarded, sum(tree.deleted) AS deleted,
           sum(tree.attempted) AS attempted
      FROM tree
     GROUP BY tree.top
)
SELECT newest.id, newest.kind, newest.root, newest.parent, newest.name, newest.place, newest.options::text AS options,
       newest.needs AS needed, summed.total, summed.suspended, summed.completed, summed.cancelled,
       summed.discarded, summed.deleted, summed.attempted, newest.inner_open, newest.fired,
       newest.inserted_at AT TIME ZONE 'UTC' AS inserted_at,
       newest.finished_at AT TIME ZONE 'UTC' AS finished_at
  FROM newest
  JOIN summed ON summed.top = newest.id
 ORDER BY newest.inserted_at DESC, newest.id DESC;
