-- rescue.sql, release.sql: the running jobs of a producer.
CREATE INDEX /* CONCURRENTLY */ staffa_jobs_lease
    ON :"prefix".oban_jobs ((attempted_by[2]))
    WHERE state = 'executing';
