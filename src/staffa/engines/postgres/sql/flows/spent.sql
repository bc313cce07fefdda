-- Read which roots have no jobs any more, nor any flow that goes on.
-- $1 text[]: the roots.
-- Locks: none: the roots are locked before. Index: the primary keys, staffa_flows_root.
WITH member AS (
    SELECT flow.id AS root, flow.id, flow.finished_at, flow.tail
      FROM :"prefix".staffa_flows AS flow
     WHERE flow.id = ANY ((SELECT $1::text[])::text[])
     UNION ALL
    SELECT flow.root, flow.id, flow.finished_at, flow.tail
      FROM :"prefix".staffa_flows AS flow
     WHERE flow.root = ANY ((SELECT $1::text[])::text[])
       AND flow.root <> flow.id
)
SELECT member.root AS id
  FROM member
 CROSS JOIN LATERAL (
           SELECT member.finished_at IS NULL
                  OR EXISTS (SELECT FROM :"prefix".oban_jobs AS job WHERE job.id = member.tail)
                  OR EXISTS (SELECT
                               FROM :"prefix".staffa_members AS listed
                              CROSS JOIN LATERAL (
                                        SELECT
                                          FROM :"prefix".oban_jobs AS job
                                         WHERE job.id = listed.job_id
                                        OFFSET 0
                                    ) AS job
                              WHERE listed.flow = member.id) AS stays
       ) AS look
 GROUP BY member.root
HAVING NOT bool_or(look.stays);
