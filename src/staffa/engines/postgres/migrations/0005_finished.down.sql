-- This step is an index and nothing else: it is in the folder indexes. A driver wants a statement.
DO $$ BEGIN END $$;
