-- Take chains, new ones as well: whoever adds to one of them, or ends one of its jobs, waits until
-- this transaction ends.
-- $1 text[]: their ids, without repeats.
-- At REPEATABLE READ and above, a chain that somebody else changed after the snapshot raises 40001.
-- Locks: the rows of the chains, in the order of their ids. Index: the primary key.
INSERT INTO :"prefix".staffa_flows AS chain (id, kind, root)
SELECT given.id, 'chain', given.id
  FROM unnest($1::text[]) AS given (id)
 ORDER BY given.id COLLATE "C"
ON CONFLICT (id) DO UPDATE
   SET tail = chain.tail;
