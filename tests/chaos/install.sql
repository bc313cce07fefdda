-- The append-only history of a schema of jobs: tables, and triggers that write what is committed.
CREATE TABLE :"prefix".history_changes (
    seq    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    job    bigint NOT NULL,
    before jsonb,
    after  jsonb,
    worker text NOT NULL,
    args   jsonb NOT NULL,
    meta   jsonb NOT NULL DEFAULT '{}'
);

-- Whoever writes a mark repeats it until it is there, so it has a token.
CREATE TABLE :"prefix".history_marks (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    token        uuid NOT NULL UNIQUE,
    kind         text NOT NULL,
    job          bigint NOT NULL,
    attempt      int NOT NULL,
    attempted_at timestamptz NOT NULL,
    producer     text NOT NULL,
    pid          int NOT NULL,
    detail       jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE :"prefix".history_beats (
    seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    producer text NOT NULL,
    node     text NOT NULL,
    beats    bigint
);

CREATE FUNCTION :"prefix".history_row(job :"prefix".oban_jobs) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'state', job.state,
        'attempt', job.attempt,
        'max_attempts', job.max_attempts,
        'attempted_at', job.attempted_at AT TIME ZONE 'UTC',
        'producer', job.attempted_by[2],
        'scheduled_at', job.scheduled_at AT TIME ZONE 'UTC',
        'rescued', CASE jsonb_typeof(job.meta -> 'rescued')
                        WHEN 'number' THEN (job.meta ->> 'rescued')::numeric::int ELSE 0 END)
$$;

-- The triggers' tables lie beside the table that they are on, whatever the search path is.
CREATE FUNCTION :"prefix".history_note_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO :"prefix".history_changes (job, after, worker, args, meta)
        VALUES (NEW.id, :"prefix".history_row(NEW), NEW.worker, NEW.args, NEW.meta);
    ELSIF TG_OP = 'DELETE' THEN
        -- What a transaction takes back that it has written itself was never there.
        IF OLD.inserted_at >= timezone('UTC', transaction_timestamp()) THEN
            DELETE FROM :"prefix".history_changes AS change
             WHERE change.job = OLD.id
               AND change.before IS NULL
               AND change.xmin = pg_current_xact_id()::xid;
            IF FOUND THEN
                RETURN NULL;
            END IF;
        END IF;
        INSERT INTO :"prefix".history_changes (job, before, worker, args)
        VALUES (OLD.id, :"prefix".history_row(OLD), OLD.worker, OLD.args);
    ELSIF :"prefix".history_row(OLD) <> :"prefix".history_row(NEW) THEN
        INSERT INTO :"prefix".history_changes (job, before, after, worker, args)
        VALUES (NEW.id, :"prefix".history_row(OLD), :"prefix".history_row(NEW), NEW.worker,
                NEW.args);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER history AFTER INSERT OR UPDATE OR DELETE ON :"prefix".oban_jobs
   FOR EACH ROW EXECUTE FUNCTION :"prefix".history_note_job();

CREATE FUNCTION :"prefix".history_note_beat() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO :"prefix".history_beats (producer, node) VALUES (OLD.uuid, OLD.node);
    ELSE
        INSERT INTO :"prefix".history_beats (producer, node, beats)
        VALUES (NEW.uuid, NEW.node, NEW.beats);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER history AFTER INSERT OR UPDATE OR DELETE ON :"prefix".staffa_producers
   FOR EACH ROW EXECUTE FUNCTION :"prefix".history_note_beat();
