-- Change the counts of flows, and tell which have ended by that, or go on again, and which callbacks have not
-- been written yet. One that goes on again does without its key if another flow has that now.
-- $1 text[]: the flows; by how much columns change, $2 int[]: total, $3 int[]: suspended, $4 int[]: completed,
-- $5 int[]: cancelled, $6 int[]: discarded, $7 int[]: deleted, $8 int[]: attempted, $9 int[]: inner_open.
-- Locks: the flows, whose root the transaction holds. Index: the primary key, staffa_flows_once.
WITH change AS MATERIALIZED (
    SELECT given.*, flow.finished_at IS NULL AS was_open
      FROM unnest((SELECT $1::text[]), (SELECT $2::int[]), (SELECT $3::int[]), (SELECT $4::int[]),
                  (SELECT $5::int[]), (SELECT $6::int[]), (SELECT $7::int[]), (SELECT $8::int[]),
                  (SELECT $9::int[]))
               AS given (id, total, suspended, completed, cancelled, discarded, deleted, attempted,
                         inner_open)
      JOIN :"prefix".staffa_flows AS flow ON flow.id = given.id
     ORDER BY flow.id
       FOR UPDATE OF flow
)
UPDATE :"prefix".staffa_flows AS flow
   SET total = flow.total + change.total,
       suspended = flow.suspended + change.suspended,
       completed = flow.completed + change.completed,
       cancelled = flow.cancelled + change.cancelled,
       discarded = flow.discarded + change.discarded,
       deleted = flow.deleted + change.deleted,
       attempted = flow.attempted + change.attempted,
       inner_open = flow.inner_open + change.inner_open,
       finished_at = CASE
           WHEN flow.total + change.total
                > flow.completed + change.completed + flow.cancelled + change.cancelled
                + flow.discarded + change.discarded + flow.deleted + change.deleted
             OR flow.inner_open + change.inner_open > 0
           THEN NULL
           ELSE coalesce(flow.finished_at, timezone('UTC', clock_timestamp())) END,
       once = CASE WHEN NOT change.was_open AND flow.once IS NOT NULL AND EXISTS (
                            SELECT FROM :"prefix".staffa_flows AS other
                             WHERE other.once = flow.once AND other.finished_at IS NULL)
                   THEN NULL ELSE flow.once END
  FROM change
 WHERE flow.id = change.id
RETURNING flow.id, flow.parent, change.was_open, flow.finished_at IS NULL AS is_open, flow.total,
          flow.completed, flow.cancelled, flow.discarded, flow.deleted, flow.attempted,
          CASE WHEN flow.callbacks <> '{}' THEN ARRAY(
                   SELECT event.name FROM jsonb_object_keys(flow.callbacks) AS event (name)
                    WHERE event.name <> ALL (flow.fired)
               ) END AS pending;
