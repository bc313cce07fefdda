-- Read how flows stand, those of which there are.
-- $1 text[]: their ids.
-- Locks: none. Index: the primary key.
SELECT flow.id, flow.root, flow.parent,
       CASE WHEN flow.finished_at IS NULL THEN NULL
            WHEN flow.discarded > 0 THEN 'discarded'
            WHEN flow.cancelled > 0 THEN 'cancelled'
            WHEN flow.deleted > 0 THEN 'deleted'
            ELSE 'completed' END AS ended
  FROM :"prefix".staffa_flows AS flow
 WHERE flow.id = ANY ((SELECT $1::text[])::text[]);
