-- $1: version.
DELETE FROM staffa_migrations WHERE version = $1;
