-- Give up leadership, if it is ours.
-- $1: instance name, $2: producer.
-- Index: the primary key.
DELETE FROM staffa_leaders
 WHERE name = $1
   AND producer = $2
RETURNING producer;
