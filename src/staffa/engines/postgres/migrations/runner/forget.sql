-- $1 int: version.
DELETE FROM :"prefix".staffa_migrations WHERE version = $1::int;
