-- Take the keys of unique jobs: whoever wants one of them, too, waits until this transaction ends.
-- $1 text[]: the keys in hexadecimal, without repeats.
-- At REPEATABLE READ and above, a key that somebody else took after the snapshot raises 40001.
-- Locks: the rows of the keys, in the order of the keys. Index: the primary key.
INSERT INTO :"prefix".staffa_unique AS taken (key)
SELECT decode(given.key, 'hex') AS key
  FROM unnest($1::text[]) AS given (key)
 ORDER BY 1
ON CONFLICT (key) DO UPDATE
   SET holders = taken.holders;
