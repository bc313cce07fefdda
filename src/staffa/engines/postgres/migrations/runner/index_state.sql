-- Tell whether an index is there, and whether it is used: one whose building was interrupted is not.
-- $1 text: schema, $2 text: index.
SELECT index.indisvalid AS valid
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
  JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
 WHERE space.nspname = $1::text
   AND class.relname = $2::text;
