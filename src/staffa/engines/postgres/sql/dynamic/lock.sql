-- Keep others from changing an instance's queues until the end of the transaction, so that what is read
-- after this statement is what is there.
-- $1 text: instance name.
-- Locks: the instance's version. Index: primary key.
INSERT INTO :"prefix".staffa_queue_versions AS known (name, version)
VALUES ($1::text, 0)
ON CONFLICT (name) DO UPDATE
   SET version = known.version
RETURNING known.version;
