-- Send notifications.
-- $1 text[]: channels, $2 text[]: payloads.
-- Locks: PostgreSQL takes one lock for all senders at commit, so this stands in a transaction of its
-- own, and in a user's only where that was asked for. Index: none.
SELECT pg_notify(message.channel, message.payload)
  FROM unnest($1::text[], $2::text[]) AS message (channel, payload);
