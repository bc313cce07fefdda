DROP TABLE :"prefix".staffa_queue_versions;
DROP TABLE :"prefix".staffa_queues;
