-- $2: table.
SELECT count(*) AS found FROM sqlite_schema WHERE type = 'table' AND name = $2;
