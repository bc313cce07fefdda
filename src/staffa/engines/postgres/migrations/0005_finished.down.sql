DROP INDEX :"prefix".staffa_jobs_finished;
