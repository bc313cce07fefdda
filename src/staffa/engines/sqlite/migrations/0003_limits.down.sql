DROP INDEX staffa_jobs_limited;
DROP INDEX staffa_jobs_ring;
DROP TABLE staffa_rates;
DROP TABLE staffa_limits;
