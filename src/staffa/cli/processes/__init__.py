"""`staffa start --processes N`: one process looks after N others, each of which runs the queues.

The supervisor imports none of the code that runs jobs and has no connection to the database: little
can happen to it. Its children are started anew as `staffa start`, not forked: a fork would copy
locks, threads and event loops that imported modules may have made. The limits of queues are the
node's; each child takes its share, which it computes alone.

supervisor.py: all of them; place.py: one of them and those that follow it; child.py: a process as
the supervisor sees it; parent.py: the supervisor as a child sees it; health.py: the health ports of
them all.
"""
