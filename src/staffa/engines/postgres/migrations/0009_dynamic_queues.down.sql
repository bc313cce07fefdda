DROP TABLE :"prefix".staffa_dynamic_queues;
