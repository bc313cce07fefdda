DROP INDEX staffa_jobs_batch;
DROP INDEX staffa_jobs_workflow;
DROP TABLE staffa_edges;
DROP TABLE staffa_steps;
DROP TABLE staffa_flows;
