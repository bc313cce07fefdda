-- $1: version, $2: name.
INSERT INTO staffa_migrations (version, name) VALUES ($1, $2);
