CREATE TABLE IF NOT EXISTS badges (attendee integer PRIMARY KEY, pdf bytea NOT NULL);
