-- Change the counts of flows, and tell which go on, and which callbacks have not been written yet.
-- One that goes on again does without its key if another flow has that now.
-- $1: a JSON array of arrays: a flow, by how much each of the columns changes.
-- RETURNING of SQLite 3.40 takes any column for not null in IS NULL: hence coalesce.
-- Index: the primary key, staffa_flows_once.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
), change AS MATERIALIZED (
    SELECT given.value ->> '$[0]' AS id, given.value ->> '$[1]' AS total,
           given.value ->> '$[2]' AS suspended, given.value ->> '$[3]' AS completed,
           given.value ->> '$[4]' AS cancelled, given.value ->> '$[5]' AS discarded,
           given.value ->> '$[6]' AS deleted, given.value ->> '$[7]' AS attempted,
           given.value ->> '$[8]' AS inner_open, clock.now
      FROM clock
     CROSS JOIN json_each($1) AS given
)
UPDATE staffa_flows
   SET total = staffa_flows.total + change.total,
       suspended = staffa_flows.suspended + change.suspended,
       completed = staffa_flows.completed + change.completed,
       cancelled = staffa_flows.cancelled + change.cancelled,
       discarded = staffa_flows.discarded + change.discarded,
       deleted = staffa_flows.deleted + change.deleted,
       attempted = staffa_flows.attempted + change.attempted,
       inner_open = staffa_flows.inner_open + change.inner_open,
       finished_at = CASE
           WHEN staffa_flows.total + change.total
                > staffa_flows.completed + change.completed
                + staffa_flows.cancelled + change.cancelled
                + staffa_flows.discarded + change.discarded
                + staffa_flows.deleted + change.deleted
             OR staffa_flows.inner_open + change.inner_open > 0
           THEN NULL
           ELSE coalesce(staffa_flows.finished_at, change.now) END,
       once = CASE WHEN staffa_flows.finished_at IS NOT NULL AND EXISTS (
                            SELECT 1 FROM staffa_flows AS other
                             WHERE other.once = staffa_flows.once
                               AND other.once IS NOT NULL AND other.finished_at IS NULL)
                   THEN NULL ELSE staffa_flows.once END
  FROM change
 WHERE staffa_flows.id = change.id
RETURNING id, parent, coalesce(finished_at, '') = '' AS is_open, total, completed, cancelled, discarded, deleted,
          attempted,
          CASE WHEN callbacks <> '{}' THEN (
              SELECT json_group_array(event.key) FROM json_each(callbacks) AS event
               WHERE event.key NOT IN (SELECT done.value FROM json_each(fired) AS done)
          ) END AS pending;
