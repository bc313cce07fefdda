-- Forget keys.
-- $1: the keys, a JSON array.
-- Index: the primary key.
DELETE FROM staffa_unique
 WHERE key IN (SELECT given.value FROM json_each($1) AS given);
