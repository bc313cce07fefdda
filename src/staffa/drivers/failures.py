"""The drivers' errors in our own terms: what each SQLSTATE means to whoever ran a statement."""

from __future__ import annotations

from contextlib import AbstractContextManager

import asyncpg

from staffa.errors import (
    ConfigError,
    DatabaseError,
    DatabaseUnavailable,
    DataRefused,
    SchemaMissing,
    StatementConflict,
)

_PROTOCOL_VIOLATION = "08P01"
_UNAVAILABLE_STATES = frozenset({"25006", "57P01", "57P02", "57P03", "57P05", "53300"})
_MISSING_STATES = frozenset({"42P01", "3F000", "42703", "42704", "42883"})
_CONFLICT_STATES = frozenset({"40001", "40P01", "55P03", "57014"})
_REFUSED_CLASSES = frozenset({"22", "23", "54"})
_UNREACHABLE = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class _TranslatedErrors:
    """The context manager below; one that is made of a generator takes ten times as long."""

    def __enter__(self) -> None:
        """Have nothing to do."""

    def __exit__(self, kind: object, error: BaseException | None, frames: object) -> None:
        """Raise an error in our own terms."""
        if error is None:
            return
        if isinstance(error, asyncpg.PostgresError):
            raise translate(error, error.sqlstate or "") from error
        if isinstance(error, asyncpg.ClientConfigurationError):
            raise ConfigError(f"the DSN can't be used: {error}") from None
        if isinstance(error, _UNREACHABLE):
            what = str(error) or type(error).__name__
            raise DatabaseUnavailable(f"the database can't be reached: {what}") from error


_TRANSLATED_ERRORS = _TranslatedErrors()


def translated_errors() -> AbstractContextManager[None]:
    """Raise the driver's errors as `DatabaseError`; none of them carries the DSN."""
    return _TRANSLATED_ERRORS


def translate(error: Exception, state: str | None) -> DatabaseError:
    """Return an error of any library in our own terms.

    Args:
        error: As it was raised.
        state: The SQLSTATE that the server sent; None if it sent none.
    """
    if state is None:
        return _translate_by_class(error)
    message = f"{error} (SQLSTATE {state})"
    if state in _MISSING_STATES:
        return SchemaMissing(
            f"{message}: Staffa's tables are not there or are of another version: run "
            "'staffa migrate up', with --prefix if they have a schema of their own",
            sqlstate=state,
        )
    if is_refused_setting(error):
        return DatabaseUnavailable(
            f"{message}: a pooler refuses a setting of the session: leave the setting 'pooler' "
            "out, or set it to true",
            sqlstate=state,
        )
    if state in _CONFLICT_STATES:
        return StatementConflict(message, sqlstate=state)
    if state in _UNAVAILABLE_STATES or state.startswith("08"):
        return DatabaseUnavailable(message, sqlstate=state)
    if state[:2] in _REFUSED_CLASSES:
        return DataRefused(message, sqlstate=state)
    return DatabaseError(message, sqlstate=state)


def _translate_by_class(error: Exception) -> DatabaseError:
    """Return an error by its class, which has the same name in every library of PEP 249."""
    names = {base.__name__ for base in type(error).__mro__}
    message = str(error) or type(error).__name__
    if names & {"DataError", "IntegrityError"}:
        return DataRefused(message)
    if names & {"OperationalError", "InterfaceError"}:
        return DatabaseUnavailable(f"the database can't be reached: {message}")
    return DatabaseError(message)


def is_refused_setting(error: Exception) -> bool:
    """Tell whether a pooler has refused a setting that was sent at the start of a session."""
    return getattr(error, "sqlstate", None) == _PROTOCOL_VIOLATION and "startup parameter" in str(
        error
    )
