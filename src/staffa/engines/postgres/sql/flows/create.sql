-- Insert flows that count no jobs yet, and tell which: not those whose id is taken, nor one whose key is that of
-- a flow that goes on. Who else is about to insert such a one is waited for.
-- $1 text: a JSON array of objects with the columns below.
-- Locks: only the new rows; in the order of their ids, as conflicts are waited for.
-- Index: the primary key and that of the keys find conflicts.
INSERT INTO :"prefix".staffa_flows
    (id, kind, root, parent, name, place, options, callbacks, needs, once)
SELECT given.id, given.kind, given.root, given.parent, given.name, given.place, given.options,
       given.callbacks, given.needs, given.once
  FROM json_to_recordset($1::text::json) AS given (
           id text, kind text, root text, parent text, name text, place text,
           options jsonb, callbacks jsonb, needs text[], once text
       )
 ORDER BY given.id COLLATE "C"
    ON CONFLICT DO NOTHING
RETURNING id;
