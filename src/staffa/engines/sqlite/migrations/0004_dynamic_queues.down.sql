DROP TABLE staffa_dynamic_queues;
