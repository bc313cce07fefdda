"""Writes src/staffa/sync.py: the client's public methods for synchronous code.

Usage: ``python tools/write_sync.py`` writes it (`make sync`), ``--check`` fails if it is not what
would be written (`make check`).

The methods are read from the sources of the client: each coroutine function becomes a function,
each asynchronous generator an iterator, with the same parameters and the same documentation without
its awaits. What a phrase of the documentation has to be instead is listed in `PHRASES`; one that
fits nowhere any more is an error.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
CLIENT = PROJECT / "src" / "staffa" / "client"
TARGET = PROJECT / "src" / "staffa" / "sync.py"

PARTS = {
    "lifecycle": "Lifecycle",
    "enqueue": "Enqueueing",
    "jobs": "Jobs",
    "operations": "Operations",
    "queues": "Queues",
    "dynamic": "DynamicQueues",
    "crons": "Crons",
    "signals": "Signals",
    "rates": "Rates",
    "relays": "Relaying",
    "handles": "Handles",
}
"""The classes that `Staffa` is put together of, by their modules, in the order of the surface."""

BY_HAND = frozenset({"enqueue", "enqueue_many", "rate", "relay", "relay_many", "workflow", "batch"})
"""Methods that take a connection of the caller's, or return something that is awaited.

`staffa.client.synchronous` has their twins, under their names with an underscore.
"""

LEFT_OUT = frozenset({"get_instance", "leave_behind"})

NAMES = {
    "BatchHandle": "SyncBatchHandle",
    "Rate": "SyncRate",
    "Relay": "SyncRelay",
    "Relays": "SyncRelays",
    "WorkflowHandle": "SyncWorkflowHandle",
}
"""What synchronous code gets in place of something that is awaited."""

PHRASES = {
    "*jobs: Jobs, iterables of jobs, or an async iterable, which makes it a stream. Or": (
        "*jobs: Jobs, or iterables of jobs. Or"
    ),
    "To be awaited: the stored jobs in the order given, with": (
        "The stored jobs in the order given, with"
    ),
    "Or, of a stream, an async iterator of": "Or, of a stream, an iterator of",
    "``await relays.results(timeout=30)``": "``relays.results(timeout=30)``",
    "``async for relay in relays``": "``for relay in relays``",
}

HEADER = '''\
"""The client for synchronous code: `app.sync`, with the methods of the client.

Written by `make sync` from the client's own methods: change those, then write it again.
"""

from __future__ import annotations

'''

CLASS = '''

class SyncStaffa(Synchronous):
    """The client's methods for code without an event loop: scripts, threads, web views.

    They are carried out on one event loop on a thread of its own, for the whole process. With
    `conn=`, the statements run on the caller's thread instead. Queues that are started here run
    their async jobs on that loop.

    Raises:
        LoopRunning: By every method, on a thread that runs an event loop; it says what to call
            there.

    Example:
        ```python
        app = Staffa("postgresql://localhost/app")

        job = app.sync.enqueue(send_mail.new("a@example.com"))
        ```
    """

'''

IMPORTS = {
    "Iterator": "collections.abc",
    "SyncBatchHandle": "staffa.client.sync_handles",
    "SyncRate": "staffa.client.rates",
    "SyncRelay": "staffa.relays",
    "SyncRelays": "staffa.relays",
    "SyncWorkflowHandle": "staffa.client.sync_handles",
    "Synchronous": "staffa.client.synchronous",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> int:
    """Write the module, or check it."""
    text = make_module()
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text, "utf-8")
        return 0
    if TARGET.is_file() and TARGET.read_text("utf-8") == text:
        return 0
    sys.stderr.write("src/staffa/sync.py is not what the client's methods say: run 'make sync'\n")
    return 1


def make_module() -> str:
    """Return the text of the module, formatted."""
    sources = {part: ast.parse((CLIENT / f"{part}.py").read_text("utf-8")) for part in PARTS}
    homes: dict[str, str] = {}
    methods: list[str] = []
    unused = set(PHRASES)
    for part, source in sources.items():
        homes.update(_homes_of_names(source, f"staffa.client.{part}"))
        methods += [_write(method, unused) for method in _public_methods(source, PARTS[part])]
    if unused:
        raise SystemExit(f"phrases of tools/write_sync.py that no docstring has: {sorted(unused)}")
    body = CLASS + "".join(methods)
    return _formatted(HEADER + _write_imports(body, homes | IMPORTS) + body)


def _homes_of_names(source: ast.Module, module: str) -> dict[str, str]:
    """Return where the names come from that a module imports or defines."""
    found: dict[str, str] = {}
    for node in source.body:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            found.update((alias.asname or alias.name, node.module) for alias in node.names)
        elif isinstance(node, ast.ClassDef):
            found[node.name] = module
    return found


def _public_methods(source: ast.Module, part: str) -> Iterator[Function]:
    for node in source.body:
        if not isinstance(node, ast.ClassDef) or node.name != part:
            continue
        for method in node.body:
            if not isinstance(method, Function) or method.name.startswith("_"):
                continue
            decorators = {ast.unparse(decorator) for decorator in method.decorator_list}
            if method.name in LEFT_OUT or decorators - {"overload"}:
                continue
            if decorators and "AsyncIterable" in ast.unparse(method.args):
                continue  # an overload for asynchronous code alone
            yield method


def _write(method: Function, unused: set[str]) -> str:
    overloaded = bool(method.decorator_list)
    arguments = ast.unparse(_Plain().visit(method.args))
    returns = ast.unparse(_Plain().visit(_returns(method)))
    head = f"    def {method.name}({arguments}) -> {returns}:"
    if overloaded:
        return f"    @overload\n{head} ...\n"
    lines = [head, f'        """{_rewrite(ast.get_docstring(method) or "", unused)}"""']
    delegate = _delegate(method)
    lines.append(f"        {delegate}" if returns == "None" else f"        return {delegate}")
    return "\n".join(lines) + "\n\n"


def _delegate(method: Function) -> str:
    """Return the call that does it."""
    given = ", ".join(_given(method.args))
    if method.name in BY_HAND:
        return f"self._{method.name}({given})"
    if not isinstance(method, ast.AsyncFunctionDef):
        return f"self._app.{method.name}({given})"
    way = "_iterate" if "AsyncGenerator" in ast.unparse(_returns(method)) else "_call"
    return f"self.{way}(self._app.{method.name}{', ' if given else ''}{given})"


def _returns(method: Function) -> ast.expr:
    if method.returns is None:
        raise SystemExit(f"{method.name} does not say what it returns")
    return method.returns


def _given(arguments: ast.arguments) -> Iterator[str]:
    for argument in [*arguments.posonlyargs, *arguments.args][1:]:
        yield argument.arg
    if arguments.vararg is not None:
        yield f"*{arguments.vararg.arg}"
    for argument in arguments.kwonlyargs:
        yield f"{argument.arg}={argument.arg}"
    if arguments.kwarg is not None:
        yield f"**{arguments.kwarg.arg}"


class _Plain(ast.NodeTransformer):
    """Makes the types of synchronous code of those of coroutines."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(NAMES.get(node.id, node.id), node.ctx)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        name = ast.unparse(node.value)
        if name == "Coroutine" and isinstance(node.slice, ast.Tuple):
            return node.slice.elts[-1]
        if name == "AsyncGenerator" and isinstance(node.slice, ast.Tuple):
            item = node.slice.elts[0]
            return ast.Subscript(ast.Name("Iterator"), item, ast.Load())
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return node.left if "AsyncIterable" in ast.unparse(node.right) else node


def _rewrite(docstring: str, unused: set[str]) -> str:
    """Return a docstring for synchronous code, indented."""
    for phrase, plain in PHRASES.items():
        if phrase in docstring:
            docstring = docstring.replace(phrase, plain)
            unused.discard(phrase)
    docstring = re.sub(r"```python\n.*?```", _rewrite_example, docstring, flags=re.DOTALL)
    lines = docstring.splitlines()
    text = "\n".join([lines[0], *(f"        {line}" if line else "" for line in lines[1:])])
    return text + ("\n        " if len(lines) > 1 else "")


def _rewrite_example(found: re.Match[str]) -> str:
    text = re.sub(r"\bawait |\basync (?=for|with)", "", found[0])
    return re.sub(r"\bapp\.(?!sync)", "app.sync.", text)


def _write_imports(body: str, homes: dict[str, str]) -> str:
    names = {
        node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)
    } & homes.keys()
    return "".join(f"from {homes[name]} import {name}\n" for name in sorted(names))


def _formatted(text: str) -> str:
    """Return the text as the formatter and the linter want it."""
    with tempfile.TemporaryDirectory(dir=TARGET.parent) as folder:
        path = Path(folder) / TARGET.name
        path.write_text(text, "utf-8")
        for arguments in (["check", "--quiet", "--fix", "--select", "I"], ["format", "--quiet"]):
            subprocess.run(
                [sys.executable, "-m", "ruff", *arguments, str(path)], check=True, cwd=PROJECT
            )
        return path.read_text("utf-8")


if __name__ == "__main__":
    sys.exit(main())
