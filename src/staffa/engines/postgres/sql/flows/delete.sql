-- Delete flows, and those that they are locked for, with what tells of their jobs.
-- $1 text[]: their roots.
-- Locks: the rows; the roots are locked before. Index: the primary keys, staffa_flows_root.
WITH gone AS (
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
    RETURNING flow.id
), members AS (
    DELETE FROM :"prefix".staffa_members AS member
     WHERE member.flow = ANY (ARRAY(SELECT gone.id FROM gone))
)
SELECT gone.id
  FROM gone;
