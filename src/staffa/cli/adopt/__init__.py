"""`staffa adopt`: shares the tables of other implementations, after telling what that means."""
