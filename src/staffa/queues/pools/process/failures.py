"""What a job raised in a child, on its way to the parent; and of what children die.

An exception is never rebuilt in the parent: that would run code of its class with data of a child.
The class itself is looked up among the modules that are imported here, so that rules for classes
of errors hold for processes as well.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from staffa import registry
from staffa._internal.exits import killer, tell_exit
from staffa._internal.json import clean
from staffa.errors import ProcessDied, ProcessJobError
from staffa.queues.described import describe_error

_LONGEST_MESSAGE = 64 * 1024
_LONGEST_NAME = 1000
_MOST_BASES = 100


def dump_error(error: BaseException) -> dict[str, Any]:
    """Return what the parent is told of an exception, in the child that caught it."""
    return {
        "types": [_name(base) for base in type(error).__mro__[:_MOST_BASES]],
        "message": _message(error),
        "traceback": describe_error(error),
    }


def load_error(dumped: Mapping[str, Any]) -> ProcessJobError:
    """Return the error to raise in the parent.

    Raises:
        KeyError, TypeError, ValueError: If no child of ours has written this.
    """
    names = [(str(module), str(qualname)) for module, qualname in dumped["types"]]
    found = [_find(module, qualname) for module, qualname in names]
    module, qualname = names[0]
    return ProcessJobError(
        str(dumped["message"]),
        type_name=qualname if module == "builtins" else f"{module}.{qualname}",
        original_type=found[0],
        known_types=tuple(known for known in found if known is not None),
        traceback=str(dumped["traceback"]),
    )


def describe_death(pid: int, code: int) -> ProcessDied:
    """Return the error of a child that ended by itself.

    Args:
        pid: Which process it was.
        code: Its exit code; a negative one is the signal that killed it.

    Example:
        >>> print(describe_death(7, -9))
        process 7 was killed by SIGKILL (the kernel may have run out of memory)
        >>> print(describe_death(7, 3))
        process 7 ended with exit code 3 in the middle of the job
    """
    text = f"process {pid} {tell_exit(code)}"
    if code >= 0:
        return ProcessDied(f"{text} in the middle of the job", exit_code=code)
    return ProcessDied(text, signal_name=killer(code))


def _name(kind: type) -> tuple[str, str]:
    """Return the importable module and the name of a class."""
    module = registry.module_name(kind)
    return clean(str(module))[:_LONGEST_NAME], clean(kind.__qualname__)[:_LONGEST_NAME]


def _message(error: BaseException) -> str:
    try:
        return clean(str(error))[:_LONGEST_MESSAGE]
    except BaseException:  # noqa: BLE001  # an error of users' making may refuse to be printed
        return "it can't be printed"


def _find(module: str, qualname: str) -> type[BaseException] | None:
    """Return a class of errors if its module is imported here; nothing is imported or called."""
    found = _attribute(sys.modules.get(module), qualname)
    if found is None:  # the program that runs here is known by its file's name there
        own = _attribute(sys.modules.get("__main__"), qualname)
        found = own if own is not None and registry.module_name(own) == module else None
    return found


def _attribute(owner: object, qualname: str) -> type[BaseException] | None:
    for part in qualname.split("."):
        owner = getattr(owner, "__dict__", {}).get(part)
    return owner if isinstance(owner, type) and issubclass(owner, BaseException) else None
