-- Delete flows, and those that they are locked for.
-- $1: a JSON array of their roots.
-- Index: the primary key, staffa_flows_root.
DELETE FROM staffa_flows
 WHERE id IN (
           SELECT member.id
             FROM json_each($1) AS given
            CROSS JOIN staffa_flows AS member
            WHERE member.id = given.value
            UNION
           SELECT member.id
             FROM json_each($1) AS given
            CROSS JOIN staffa_flows AS member
            WHERE member.root = given.value
              AND member.root <> member.id
       )
RETURNING id;
