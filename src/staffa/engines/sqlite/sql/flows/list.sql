-- Read outermost flows of a kind, the newest first, with the counts of those of this kind inside of them added to
-- their own.
-- $1: the kind, $2: the flow after which to go on or null, $3: how many.
-- Index: staffa_flows_newest, staffa_flows_parent; the primary key.
WITH RECURSIVE newest AS MATERIALIZED (
    SELECT flow.*
      FROM staffa_flows AS flow
     WHERE flow.kind = $1
       AND flow.parent IS NULL
       AND (flow.inserted_at, flow.id) < (
               CASE WHEN $2 IS NULL THEN '~'
                    ELSE (SELECT last.inserted_at FROM staffa_flows AS last WHERE last.id = $2) END,
               coalesce($2, ''))
     ORDER BY flow.inserted_at DESC, flow.id DESC
     LIMIT $3
), tree (top, id, total, suspended, completed, cancelled, discarded, deleted, attempted) AS (
    SELECT newest.id, newest.id, newest.total, newest.suspended, newest.completed, newest.cancelled,
           newest.discarded, newest.deleted, newest.attempted
      FROM newest
     UNION ALL
    SELECT tree.top, flow.id, flow.total, flow.suspended, flow.completed, flow.cancelled, flow.discarded,
           flow.deleted, flow.attempted
      FROM tree
     CROSS JOIN staffa_flows AS flow
     WHERE flow.parent = tree.id
       AND flow.kind = $1
), summed AS (
    SELECT tree.top, sum(tree.total) AS total, sum(tree.suspended) AS suspended,
           sum(tree.completed) AS completed, sum(tree.cancelled) AS cancelled,
           sum(tree.discarded) AS discarded, sum(tree.deleted) AS deleted,
           sum(tree.attempted) AS attempted
      FROM tree
     GROUP BY tree.top
)
SELECT newest.id, newest.kind, newest.root, newest.parent, newest.name, newest.place, newest.options,
       newest.needs AS needed, summed.total, summed.suspended, summed.completed, summed.cancelled, summed.discarded, summed.deleted,
       summed.attempted, newest.inner_open, newest.fired, newest.inserted_at, newest.finished_at
  FROM newest
  JOIN summed ON summed.top = newest.id
 ORDER BY newest.inserted_at DESC, newest.id DESC;
