-- Turns our jobs table into the form of Python's oban: errors are one JSON array, and ids are always
-- generated.
ALTER TABLE :"prefix".oban_jobs
    ALTER COLUMN id SET GENERATED ALWAYS,
    ALTER COLUMN errors DROP DEFAULT,
    ALTER COLUMN errors TYPE jsonb USING to_jsonb(errors),
    ALTER COLUMN errors SET DEFAULT '[]';
