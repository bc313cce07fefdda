-- Begin what changes an instance's queues: nobody else writes until the end of the transaction.
-- $1: instance name.
-- Index: the primary key.
INSERT INTO staffa_queue_versions AS known (name, version)
VALUES ($1, 0)
    ON CONFLICT (name) DO UPDATE
   SET version = known.version
RETURNING version;
