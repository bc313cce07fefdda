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
    key      text COLLATE "C" NOT NULL,  -- as the indexes have it
    meter    jsonb NOT NULL,          -- as staffa/rates.py writes it
    free_at  timestamp,               -- until when nothing can start
    spent_at timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp()),
    PRIMARY KEY (queue, key)
) WITH (fillfactor = 50);

-- The partition of a job: a digest of the fields, which tells it from keys of other configurations, and
-- the values of the fields. A long key is cut, with a digest of the whole, to fit into an index.
CREATE FUNCTION :"prefix".staffa_partition_key(fields text[], worker text, args jsonb, meta jsonb)
RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $staffa$
DECLARE
    name   text;
    path   text[];
    found  text := '';
BEGIN
    FOREACH name IN ARRAY fields LOOP
        path := string_to_array(name, '.');
        found := found || ', ' || coalesce(CASE path[1] WHEN 'args' THEN args #> path[2:]
                                                        WHEN 'meta' THEN meta #> path[2:]
                                                        ELSE to_jsonb(worker) END, 'null')::text;
    END LOOP;
    found := '[' || substr(found, 3) || ']';
    IF length(found) > 200 THEN
        found := left(found, 150) || '#' || md5(found);
    END IF;
    RETURN left(md5(array_to_string(fields, ',')), 8) || ':' || found;
END
$staffa$;
