-- Read how flows have ended, those that have: as badly as any job in it, those of flows inside of it among them.
-- $1: a JSON array of flows.
-- Index: the primary key, staffa_flows_parent.
WITH RECURSIVE tree (top, id, discarded, cancelled) AS (
    SELECT flow.id, flow.id, flow.discarded, flow.cancelled + flow.deleted
      FROM json_each($1) AS given
     CROSS JOIN staffa_flows AS flow
     WHERE flow.id = given.value
       AND flow.finished_at IS NOT NULL
     UNION ALL
    SELECT tree.top, flow.id, flow.discarded, flow.cancelled + flow.deleted
      FROM tree
     CROSS JOIN staffa_flows AS flow
     WHERE flow.parent = tree.id
)
SELECT tree.top AS id,
       CASE WHEN max(tree.discarded) > 0 THEN 'discarded'
            WHEN max(tree.cancelled) > 0 THEN 'cancelled' ELSE 'completed' END AS ended
  FROM tree
 GROUP BY tree.top;
