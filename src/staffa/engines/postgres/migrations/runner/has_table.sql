-- $1 text: schema, $2 text: table.
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_tables WHERE schemaname = $1::text AND tablename = $2::text
) AS found;
