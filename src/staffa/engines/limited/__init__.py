"""What claims under limits do, statement by statement, whichever engine runs them.

Invariants: all of it is one transaction that holds the row of the queue's limits, so the claims of
a queue are made one after the other, and each counts what those before it have claimed. What runs
is counted in the jobs table, never remembered. All obey the limits in the row, also those that were
configured otherwise, so that a limit is exact while old and new nodes overlap. Tokens are counted
under the time that the jobs are claimed at.

All of it are dialogues: an engine with an event loop and one without run the same. Where the
database is asked over a network, most claims are a single statement instead: see `at_once`.
"""

from staffa.engines.limited.at_once import ClaimsAtOnce
from staffa.engines.limited.verbs import LimitVerbs

__all__ = ["ClaimsAtOnce", "LimitVerbs"]
