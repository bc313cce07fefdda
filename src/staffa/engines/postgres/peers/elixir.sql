-- Tell whether a node of Elixir Oban leads. Its table is there only where Elixir Oban has made it.
-- Locks: none. Index: none, the table has a row for each instance.
SELECT EXISTS (
           SELECT FROM :"prefix".oban_peers AS peer
            WHERE peer.expires_at > timezone('UTC', clock_timestamp())
       ) AS leads;
