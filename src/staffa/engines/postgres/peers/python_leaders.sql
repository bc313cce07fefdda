-- Read which nodes of Python oban lead.
-- Locks: none. Index: none, the table has a row for each instance.
SELECT peer.name, peer.node
  FROM :"prefix".oban_leaders AS peer
 WHERE peer.expires_at > timezone('UTC', clock_timestamp())
 ORDER BY peer.name;
