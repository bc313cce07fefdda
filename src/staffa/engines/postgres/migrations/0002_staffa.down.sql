DROP TABLE :"prefix".staffa_leaders;
DROP TABLE :"prefix".staffa_producers;
DROP INDEX :"prefix".staffa_jobs_lease;
DROP INDEX :"prefix".staffa_jobs_stage;
DROP INDEX :"prefix".staffa_jobs_claim;
