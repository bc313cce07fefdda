-- A file is a schema.
SELECT 1 AS found;
