-- Entries of cron that are made and changed at run time. What the configuration said of an entry last
-- is kept beside what holds, so that a change at run time lasts until the configuration changes that
-- option. The last tick becomes a mere mark: an entry that is resumed begins anew from there.
ALTER TABLE :"prefix".staffa_crons
    ADD COLUMN guaranteed boolean NOT NULL DEFAULT false,
    ADD COLUMN paused     boolean NOT NULL DEFAULT false,
    ADD COLUMN dynamic    boolean NOT NULL DEFAULT false,
    ADD COLUMN configured jsonb,
    ADD COLUMN last_run   timestamp;

UPDATE :"prefix".staffa_crons
   SET last_run = last_tick
 WHERE last_job_id IS NOT NULL;
