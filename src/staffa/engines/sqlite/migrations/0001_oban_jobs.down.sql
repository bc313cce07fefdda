-- Drops every job: the caller has counted them and asked.
DROP TABLE oban_jobs;
