-- Count the changes of an instance's queues. Versions are times as far as these grow, so that they do
-- so even where the last of them were lost.
-- $1: the changes, a JSON array, $2: instance name.
-- Index: the primary key.
INSERT INTO staffa_queue_versions (name, version)
VALUES ($2, staffa_micros(staffa_now()) + json_array_length($1))
    ON CONFLICT (name) DO UPDATE
   SET version = max(version, staffa_micros(staffa_now())) + json_array_length($1);
