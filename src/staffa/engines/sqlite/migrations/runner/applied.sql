SELECT version, name, applied_at FROM staffa_migrations ORDER BY version;
