"""The thinnest wrappers of database drivers, and of users' own connections."""
