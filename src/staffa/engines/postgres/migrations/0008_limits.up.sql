-- The limits of queues on all nodes. A row is what the node that started last has told; a claim under
-- limits locks it, so that the claims of a queue are made one after the other. Running jobs are counted
-- in the jobs table each time and never stored. Every claim may write the row anew, so there is room.
CREATE TABLE :"prefix".staffa_limits (
    queue      text PRIMARY KEY,
    options    jsonb NOT NULL,
    fields     text[] NOT NULL DEFAULT '{}',  -- what divides the queue into partitions
    cursors    jsonb NOT NULL DEFAULT '{}',   -- by priority, the partition that was served last
    sweep      jsonb NOT NULL DEFAULT '{}',   -- how far jobs without a key were looked for
    changed_at timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp()),
    used_at    timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp())
) WITH (fillfactor = 50);

-- What was spent of rate limits, by partition; the key is empty for the queue as a whole.
CREATE TABLE :"prefix".staffa_rates (
    queue    text NOT NULL,
    key      text NOT NULL,
    meter    jsonb NOT NULL,          -- as staffa/rates.py writes it
    free_at  timestamp,               -- until when nothing can start
    spent_at timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp()),
    PRIMARY KEY (queue, key)
) WITH (fillfactor = 50);

-- The partition of a job: a digest of the fields, which tells it from keys of other configurations, and
-- the values of the fields. A long key is cut, with a digest of the whole, to fit into an index.
CREATE FUNCTION :"prefix".staffa_partition_key(fields text[], worker text, args jsonb, meta jsonb)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $staffa$
    SELECT left(md5(array_to_string(fields, ',')), 8) || ':'
           || CASE WHEN length(found.key) <= 200 THEN found.key
                   ELSE left(found.key, 150) || '#' || md5(found.key) END
      FROM (SELECT jsonb_agg(
                       CASE split_part(field.name, '.', 1)
                            WHEN 'args' THEN args #> (string_to_array(field.name, '.'))[2:]
                            WHEN 'meta' THEN meta #> (string_to_array(field.name, '.'))[2:]
                            ELSE to_jsonb(worker) END
                       ORDER BY field.place)::text AS key
              FROM unnest(fields) WITH ORDINALITY AS field (name, place)) AS found
$staffa$;
