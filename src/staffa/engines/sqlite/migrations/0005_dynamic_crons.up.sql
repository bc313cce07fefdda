-- Entries of cron that are made and changed at run time. What the configuration said of an entry last
-- is kept beside what holds, so that a change at run time lasts until the configuration changes that
-- option. The last tick becomes a mere mark: an entry that is resumed begins anew from there.
ALTER TABLE staffa_crons ADD COLUMN guaranteed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE staffa_crons ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE staffa_crons ADD COLUMN dynamic INTEGER NOT NULL DEFAULT 0;
ALTER TABLE staffa_crons ADD COLUMN configured TEXT CHECK (configured IS NULL OR json_valid(configured));
ALTER TABLE staffa_crons ADD COLUMN last_run TEXT;

UPDATE staffa_crons
   SET last_run = last_tick
 WHERE last_job_id IS NOT NULL;
