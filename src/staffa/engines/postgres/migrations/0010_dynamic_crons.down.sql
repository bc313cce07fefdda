-- Entries that only run time knows are not what an older version means by an entry.
DELETE FROM :"prefix".staffa_crons
 WHERE dynamic;

ALTER TABLE :"prefix".staffa_crons
    DROP COLUMN guaranteed,
    DROP COLUMN paused,
    DROP COLUMN dynamic,
    DROP COLUMN configured,
    DROP COLUMN last_run;
