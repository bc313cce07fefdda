-- Add jobs and flows to the counts of flows, and tell which of these had ended: they go on again. One whose key
-- another flow has taken since it ended does without.
-- $1 text[]: the flows, $2 int[]: jobs, $3 int[]: how many of these wait for others, $4 int[]: flows
-- inside of it that have not ended.
-- Locks: the rows, in the order of their ids; their roots are locked before. Index: the primary key.
WITH target AS MATERIALIZED (
    SELECT flow.id, given.total, given.suspended, given.inner_open,
           flow.finished_at IS NOT NULL AS had_ended
      FROM unnest((SELECT $1::text[]), (SELECT $2::int[]), (SELECT $3::int[]), (SELECT $4::int[]))
               AS given (id, total, suspended, inner_open)
      JOIN :"prefix".staffa_flows AS flow ON flow.id = given.id
     ORDER BY flow.id
       FOR UPDATE OF flow
)
UPDATE :"prefix".staffa_flows AS flow
   SET total = flow.total + target.total,
       suspended = flow.suspended + target.suspended,
       inner_open = flow.inner_open + target.inner_open,
       finished_at = NULL,
       once = CASE WHEN target.had_ended AND EXISTS (
                            SELECT FROM :"prefix".staffa_flows AS other
                             WHERE other.once = flow.once
                               AND other.finished_at IS NULL)
                   THEN NULL ELSE flow.once END
  FROM target
 WHERE flow.id = target.id
RETURNING flow.id, flow.parent, target.had_ended;
