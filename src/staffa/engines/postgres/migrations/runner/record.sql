-- $1 int: version, $2 text: name.
INSERT INTO :"prefix".staffa_migrations (version, name) VALUES ($1::int, $2::text);
