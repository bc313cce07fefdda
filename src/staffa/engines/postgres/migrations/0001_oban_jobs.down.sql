-- Drops every job: the caller has counted them and asked.
DROP TABLE :"prefix".oban_jobs;
DROP TYPE :"prefix".oban_job_state;
