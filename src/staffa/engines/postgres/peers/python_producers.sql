-- Read the queues that nodes of Python oban run: each row is written anew every few seconds, and left
-- behind by a process that was killed, until another one removes it after a minute.
-- Locks: none. Index: none, the table has a row for each queue of each process.
SELECT DISTINCT producer.name, producer.node, producer.queue
  FROM :"prefix".oban_producers AS producer
 WHERE producer.updated_at > timezone('UTC', clock_timestamp()) - interval '1 minute'
 ORDER BY producer.name, producer.node, producer.queue;
