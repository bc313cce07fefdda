-- Delete flows, and those that they are locked for.
-- $1 text[]: their roots.
-- Locks: the rows; the roots are locked before. Index: the primary key, staffa_flows_root.
DELETE FROM :"prefix".staffa_flows AS flow
 WHERE flow.id = ANY (ARRAY(
           SELECT member.id
             FROM :"prefix".staffa_flows AS member
            WHERE member.id = ANY ((SELECT $1::text[])::text[])
            UNION
           SELECT member.id
             FROM :"prefix".staffa_flows AS member
            WHERE member.root = ANY ((SELECT $1::text[])::text[])
              AND member.root <> member.id
       ))
RETURNING flow.id;
