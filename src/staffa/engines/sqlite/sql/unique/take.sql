-- Note the keys of unique jobs. It comes first, so that the transaction has the right to write before
-- anything is judged: nobody else can enqueue until it ends.
-- $1: the keys, a JSON array.
-- Index: the primary key.
INSERT INTO staffa_unique (key)
SELECT given.value
  FROM json_each($1) AS given
 WHERE true
    ON CONFLICT (key) DO NOTHING;
