-- Read the clock by which jobs are due, and the version of SQLite.
-- Index: none, it reads no table.
SELECT staffa_now() AS read_at, sqlite_version() AS version;
