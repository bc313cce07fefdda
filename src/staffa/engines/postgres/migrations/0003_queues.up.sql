-- What operators have changed about queues at run time: an option of a queue, for everybody, a node or
-- a process. A row is a fact, not a message: the last value of an option, whoever has read it.
CREATE TABLE :"prefix".staffa_queues (
    name       text NOT NULL,
    queue      text NOT NULL,
    scope      text NOT NULL,
    option     text NOT NULL,
    value      jsonb NOT NULL,
    version    bigint NOT NULL,
    changed_at timestamp NOT NULL,
    PRIMARY KEY (queue, name, scope, option)
);

-- beat.sql: what has changed since a process looked last. The primary key begins with the queue, or a
-- planner without statistics would prefer it and read all that was ever set.
CREATE INDEX staffa_queues_changes ON :"prefix".staffa_queues (name, version);

-- The last version of each instance's changes. Its row is locked by who makes one, so that versions are
-- committed in their order: who has seen one has seen all that are lower.
CREATE TABLE :"prefix".staffa_queue_versions (
    name    text PRIMARY KEY,
    version bigint NOT NULL
) WITH (fillfactor = 50);
