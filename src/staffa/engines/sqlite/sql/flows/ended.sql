-- Read flows that ended before an age, the one that ended first foremost; only those that are locked for others
-- are roots.
-- $1: the age in seconds, $2, $3: the last one that was read, and when it ended, or null, $4: how many.
-- Index: staffa_flows_finished.
SELECT flow.id, flow.root = flow.id AS is_root, flow.finished_at
  FROM staffa_flows AS flow
 WHERE flow.finished_at IS NOT NULL
   AND flow.finished_at < (SELECT staffa_add(staffa_now(), -$1))
   AND (flow.finished_at, flow.id) > (coalesce($3, ''), coalesce($2, ''))
 ORDER BY flow.finished_at, flow.id
 LIMIT $4;
