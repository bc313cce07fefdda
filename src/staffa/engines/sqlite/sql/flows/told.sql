-- Read callbacks of batches that are unique or in a chain, and were not written yet: what enqueues such jobs writes
-- them.
-- $1: a JSON array of arrays: a batch, an event.
-- Index: the primary key.
SELECT flow.id AS batch, callback.key AS event, job.value AS given
  FROM json_each($1) AS given
 CROSS JOIN staffa_flows AS flow
 CROSS JOIN json_each(flow.callbacks) AS callback
 CROSS JOIN json_each(CASE callback.type WHEN 'array' THEN callback.value
                           ELSE json_array(json(callback.value)) END) AS job
 WHERE flow.id = given.value ->> '$[0]'
   AND callback.key = given.value ->> '$[1]'
   AND callback.key NOT IN (SELECT done.value FROM json_each(flow.fired) AS done)
   AND coalesce(job.value -> '$.unique', job.value -> '$.chain') IS NOT NULL
 ORDER BY flow.id, callback.key, job.key;
