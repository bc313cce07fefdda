"""`staffa top`: a live view of nodes, queues, running jobs and errors, on a terminal."""
