SELECT EXISTS (SELECT FROM :"prefix".oban_jobs) AS found;
