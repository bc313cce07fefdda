-- Beside the use of its table where the runner puts CONCURRENTLY in.
DROP INDEX /* CONCURRENTLY */ IF EXISTS :"prefix".staffa_jobs_batch;
