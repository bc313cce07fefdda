-- Have rows for chains. It comes first, so that the transaction has the right to write before anything
-- is judged: nobody else can change a chain until it ends.
-- $1: the ids of the chains, a JSON array.
-- Index: the primary key.
INSERT INTO staffa_flows (id, kind, root, inserted_at, checked_at)
SELECT given.value, 'chain', given.value, staffa_now(), staffa_now()
  FROM json_each($1) AS given
 WHERE true
    ON CONFLICT (id) DO NOTHING;
