-- The jobs table, with the columns that it has elsewhere. JSON is text, lists are JSON. Times are text
-- in UTC, always with six digits, so that the order of texts is the order of times.
CREATE TABLE oban_jobs (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: leases and keys name it
    state        TEXT NOT NULL DEFAULT 'available',
    queue        TEXT NOT NULL DEFAULT 'default',
    worker       TEXT NOT NULL,
    args         TEXT NOT NULL DEFAULT '{}',
    meta         TEXT NOT NULL DEFAULT '{}',
    tags         TEXT NOT NULL DEFAULT '[]',
    errors       TEXT NOT NULL DEFAULT '[]',
    attempt      INTEGER NOT NULL DEFAULT 0,
    max_attempts INTEGER NOT NULL DEFAULT 20,
    priority     INTEGER NOT NULL DEFAULT 0,
    attempted_by TEXT,
    inserted_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
    scheduled_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
    attempted_at TEXT,
    completed_at TEXT,
    cancelled_at TEXT,
    discarded_at TEXT,
    CONSTRAINT known_state CHECK (state IN ('available', 'suspended', 'scheduled', 'executing',
                                            'retryable', 'completed', 'discarded', 'cancelled')),
    CONSTRAINT args_json CHECK (json_valid(args)),
    CONSTRAINT meta_json CHECK (json_valid(meta)),
    CONSTRAINT tags_list CHECK (json_type(tags) = 'array'),
    CONSTRAINT errors_list CHECK (json_type(errors) = 'array'),
    CONSTRAINT attempted_by_list CHECK (json_type(attempted_by) = 'array'),
    CONSTRAINT attempt_range CHECK (attempt BETWEEN 0 AND max_attempts),
    CONSTRAINT max_attempts_range CHECK (max_attempts BETWEEN 1 AND 32767),
    CONSTRAINT priority_range CHECK (priority BETWEEN 0 AND 32767),
    CONSTRAINT queue_length CHECK (length(queue) BETWEEN 1 AND 127),
    CONSTRAINT worker_length CHECK (length(worker) BETWEEN 1 AND 127)
) STRICT;

-- Other clients may write times with a T, a Z or fewer digits: these are brought into our form, lest
-- they compare wrongly. What is no time stays as it is; it sorts as text, and is read as its place says.
CREATE TRIGGER staffa_jobs_times_inserted AFTER INSERT ON oban_jobs
    WHEN length(NEW.inserted_at) <> 26 OR substr(NEW.inserted_at, 11, 1) <> ' '
      OR length(NEW.scheduled_at) <> 26 OR substr(NEW.scheduled_at, 11, 1) <> ' '
      OR length(NEW.attempted_at) <> 26 OR substr(NEW.attempted_at, 11, 1) <> ' '
      OR length(NEW.completed_at) <> 26 OR substr(NEW.completed_at, 11, 1) <> ' '
      OR length(NEW.cancelled_at) <> 26 OR substr(NEW.cancelled_at, 11, 1) <> ' '
      OR length(NEW.discarded_at) <> 26 OR substr(NEW.discarded_at, 11, 1) <> ' '
BEGIN
    UPDATE oban_jobs
       SET inserted_at = CASE WHEN inserted_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][ T][0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'
                              THEN substr(replace(replace(inserted_at, 'T', ' '), 'Z', '')
                                   || CASE WHEN instr(inserted_at, '.') THEN '000000' ELSE '.000000' END, 1, 26)
                              ELSE inserted_at END,
           scheduled_at = CASE WHEN scheduled_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][ T][0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'
                               THEN substr(replace(replace(scheduled_at, 'T', ' '), 'Z', '')
                                    || CASE WHEN instr(scheduled_at, '.') THEN '000000' ELSE '.000000' END, 1, 26)
                               ELSE scheduled_at END,
           attempted_at = CASE WHEN attempted_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][ T][0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'
                               THEN substr(replace(replace(attempted_at, 'T', ' '), 'Z', '')
                                    || CASE WHEN instr(attempted_at, '.') THEN '000000' ELSE '.000000' END, 1, 26)
                               ELSE attempted_at END,
           completed_at = CASE WHEN completed_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][ T][0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'
                               THEN substr(replace(replace(completed_at, 'T', ' '), 'Z', '')
                                    || CASE WHEN instr(completed_at, '.') THEN '000000' ELSE '.000000' END, 1, 26)
                               ELSE completed_at END,
           cancelled_at = CASE WHEN cancelled_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][ T][0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'
                               THEN substr(replace(replace(cancelled_at, 'T', ' '), 'Z', '')
                                    || CASE WHEN instr(cancelled_at, '.') THEN '000000' ELSE '.000000' END, 1, 26)
                               ELSE cancelled_at END,
           discarded_at = CASE WHEN discarded_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][ T][0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'
                               THEN substr(replace(replace(discarded_at, 'T', ' '), 'Z', '')
                                    || CASE WHEN instr(discarded_at, '.') THEN '000000' ELSE '.000000' END, 1, 26)
                               ELSE discarded_at END
     WHERE id = NEW.id;
END;

CREATE TRIGGER staffa_jobs_times_updated AFTER UPDATE OF inserted_at, scheduled_at, attempted_at, completed_at,
    cancelled_at, discarded_at ON oban_jobs
    WHEN length(NEW.inserted_at) <> 26 OR substr(NEW.inserted_at, 11, 1) <> ' '
      OR length(NEW.scheduled_at) <> 26 OR substr(NEW.scheduled_at, 11, 1) <> ' '
      OR length(NEW.attempted_at) <> 26 OR substr(NEW.attempted_at, 11, 1) <> ' '
      OR length(NEW.completed_at) <> 26 OR substr(NEW.completed_at, 11, 1) <> ' '
      OR length(NEW.cancelled_at) <> 26 OR substr(NEW.cancelled_at, 11, 1) <> ' '
      OR length(NEW.discarded_at) <> 26 OR substr(NEW.discarded_at, 11, 1) <> ' '
BEGIN
    UPDATE oban_jobs
       SET inserted_at = CASE WHEN inserted_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][ T][0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'
                              THEN substr(replace(replace(inserted_at, 'T', ' '), 'Z', '')
                                   || CASE WHEN instr(inserted_at, '.') THEN '000000' ELSE '.000000' END, 1, 26)
                              ELSE inserted_at END,
           scheduled_at = CASE WHEN scheduled_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][ T][0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'
                               THEN substr(replace(replace(scheduled_at, 'T', ' '), 'Z', '')
                                    || CASE WHEN instr(scheduled_at, '.') THEN '000000' ELSE '.000000' END, 1, 26)
                               ELSE scheduled_at END,
           attempted_at = CASE WHEN attempted_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][ T][0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'
                               THEN substr(replace(replace(attempted_at, 'T', ' '), 'Z', '')
                                    || CASE WHEN instr(attempted_at, '.') THEN '000000' ELSE '.000000' END, 1, 26)
                               ELSE attempted_at END,
           completed_at = CASE WHEN completed_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][ T][0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'
                               THEN substr(replace(replace(completed_at, 'T', ' '), 'Z', '')
                                    || CASE WHEN instr(completed_at, '.') THEN '000000' ELSE '.000000' END, 1, 26)
                               ELSE completed_at END,
           cancelled_at = CASE WHEN cancelled_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][ T][0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'
                               THEN substr(replace(replace(cancelled_at, 'T', ' '), 'Z', '')
                                    || CASE WHEN instr(cancelled_at, '.') THEN '000000' ELSE '.000000' END, 1, 26)
                               ELSE cancelled_at END,
           discarded_at = CASE WHEN discarded_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][ T][0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'
                               THEN substr(replace(replace(discarded_at, 'T', ' '), 'Z', '')
                                    || CASE WHEN instr(discarded_at, '.') THEN '000000' ELSE '.000000' END, 1, 26)
                               ELSE discarded_at END
     WHERE id = NEW.id;
END;
