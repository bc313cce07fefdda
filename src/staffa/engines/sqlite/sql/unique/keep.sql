-- Write which jobs hold keys.
-- $1: a JSON array of pairs: a key, and the ids of its holders, the newest first.
-- Index: the primary key.
UPDATE staffa_unique
   SET holders = given.value -> '$[1]'
  FROM json_each($1) AS given
 WHERE staffa_unique.key = given.value ->> '$[0]';
