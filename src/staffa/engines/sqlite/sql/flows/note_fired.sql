-- Note which callbacks of batches have been written.
-- $1: a JSON array of arrays: a batch, an event.
-- Index: the primary key.
UPDATE staffa_flows
   SET fired = (
           SELECT json_group_array(DISTINCT event.name)
             FROM (
                 SELECT done.value AS name FROM json_each(staffa_flows.fired) AS done
                  UNION
                 SELECT given.value ->> '$[1]' FROM json_each($1) AS given
                  WHERE given.value ->> '$[0]' = staffa_flows.id
             ) AS event
       )
 WHERE id IN (SELECT given.value ->> '$[0]' FROM json_each($1) AS given);
