"""The builders that only SQLite needs, where one statement of PostgreSQL takes several here.

SQLite's ``RETURNING`` tells nothing of what was before, and its ``WITH`` can't write.
"""
