-- Give up leadership, if it is ours.
-- $1 text: instance name, $2 uuid: producer.
-- Locks: the leader's row. Index: the primary key.
DELETE FROM :"prefix".staffa_leaders
 WHERE name = $1::text
   AND producer = $2::uuid
RETURNING producer;
