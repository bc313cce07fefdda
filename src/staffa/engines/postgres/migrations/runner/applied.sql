SELECT version, name, applied_at AT TIME ZONE 'UTC' AS applied_at
  FROM :"prefix".staffa_migrations
 ORDER BY version;
