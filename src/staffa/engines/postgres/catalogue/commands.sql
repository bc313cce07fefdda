-- Write the commands that rebuild and drop an index, its name quoted by the server.
-- $1 text: schema, $2 text: index.
SELECT format('REINDEX INDEX CONCURRENTLY %I.%I', $1::text, $2::text) AS rebuild,
       format('DROP INDEX CONCURRENTLY IF EXISTS %I.%I', $1::text, $2::text) AS drop;
