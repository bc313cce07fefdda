"""Pure builders of statements: one module for each area, one function for each verb.

They do no I/O, so every way of executing shares them: the engine, and users' own connections.
"""
