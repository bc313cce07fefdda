"""What jobs that hang on each other do, statement by statement, whichever engine runs them.

Invariants: all of it is one transaction, which locks the rows of the roots concerned before it
looks at who waits for whom. The counts of a flow are moved by what a guarded statement has changed,
never by what was read before. A step is released, or cancelled, by whoever closes its last edge, as
its row tells after the update. What has ended is followed until nothing more ends.
"""
