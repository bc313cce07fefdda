-- Entries that only run time knows are not what an older version means by an entry.
DELETE FROM staffa_crons WHERE dynamic;

ALTER TABLE staffa_crons DROP COLUMN guaranteed;
ALTER TABLE staffa_crons DROP COLUMN paused;
ALTER TABLE staffa_crons DROP COLUMN dynamic;
ALTER TABLE staffa_crons DROP COLUMN configured;
ALTER TABLE staffa_crons DROP COLUMN last_run;
