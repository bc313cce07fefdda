-- Tell whether a node of Python oban leads. Its table is there only where Python oban has made it.
-- Locks: none. Index: none, the table has a row for each instance.
SELECT EXISTS (
           SELECT FROM :"prefix".oban_leaders AS peer
            WHERE peer.expires_at > timezone('UTC', clock_timestamp())
       ) AS leads;
