-- Read which nodes of Elixir Oban lead.
-- Locks: none. Index: none, the table has a row for each instance.
SELECT peer.name, peer.node
  FROM :"prefix".oban_peers AS peer
 WHERE peer.expires_at > timezone('UTC', clock_timestamp())
 ORDER BY peer.name;
