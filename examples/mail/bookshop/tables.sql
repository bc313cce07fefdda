CREATE TABLE IF NOT EXISTS orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer text NOT NULL,
    item text NOT NULL,
    placed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS mail_attempts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id bigint NOT NULL,
    attempt integer NOT NULL,
    recipient text NOT NULL,
    template text NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now(),
    outcome text,  -- sent, try again, refused; NULL while it goes on, and if its process died
    reply text
);

CREATE INDEX IF NOT EXISTS mail_attempts_job ON mail_attempts (job_id);
