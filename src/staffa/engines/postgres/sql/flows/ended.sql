-- Read flows that ended before an age, the one that ended first foremost; only those that are locked for others
-- are roots.
-- $1 float8: the age in seconds, $2 text, $3 timestamptz: the last one that was read, and when it ended, or null,
-- $4 int: how many.
-- Locks: none. Index: staffa_flows_finished.
SELECT flow.id, flow.root = flow.id AS is_root, flow.finished_at AT TIME ZONE 'UTC' AS finished_at
  FROM :"prefix".staffa_flows AS flow
 WHERE flow.finished_at IS NOT NULL
   AND flow.finished_at < timezone('UTC', clock_timestamp()) - make_interval(secs => $1::float8)
   AND (flow.finished_at, flow.id)
           > (coalesce(timezone('UTC', $3::timestamptz), timestamp '-infinity'), coalesce($2::text, ''))
 ORDER BY flow.finished_at, flow.id
 LIMIT $4::int;
