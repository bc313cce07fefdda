"""Pictures of workflows, stored or only built: as data, for Mermaid, for Graphviz."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_COLOURS = {
    "completed": "#d3f2d9",
    "executing": "#d4e5fb",
    "available": "#e9eefc",
    "scheduled": "#e9eefc",
    "retryable": "#fdebc8",
    "cancelled": "#e0e0e0",
    "discarded": "#f9d0d0",
    "suspended": "#ffffff",
}
_INDENT = "    "

Path = tuple[str, ...]
"""The names that lead to a step, from the outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A step.

    Args:
        name: Its name.
        kind: ``job``, ``cascade``, ``group``, ``graft`` or ``workflow``.
        deps: The names of what it waits for.
        worker: What runs it, where there is one such.
        state: Its state, if it is stored.
        count: How many jobs it has, if it is a group of so many.
        counts: How many of them are in which state, if they are stored.
        inside: What is inside of it.
    """

    name: str
    kind: str
    deps: Sequence[str] = ()
    worker: str | None = None
    state: str | None = None
    count: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    inside: Picture | None = None

    @property
    def label(self) -> str:
        """What is written on it."""
        if self.kind == "group":
            number = "many" if self.count is None else str(self.count)
            return f"{self.name} ({number})"
        return self.name


@dataclass(frozen=True, slots=True)
class Picture:
    """The steps of a workflow, in order."""

    nodes: Sequence[Node]

    def tour(self) -> Iterator[tuple[Path, Node, bool]]:
        """Yield all steps with their paths, outer ones first; those around others again behind."""
        path: list[str] = []
        around: list[Node] = []
        levels = [iter(self.nodes)]  # no recursion: grafts may go deep
        while levels:
            node = next(levels[-1], None)
            if node is not None:
                path.append(node.name)
                yield tuple(path), node, False
                if node.inside is not None and node.inside.nodes:
                    around.append(node)
                    levels.append(iter(node.inside.nodes))
                    continue
            else:
                levels.pop()
                if levels:
                    yield tuple(path), around.pop(), True
            if path:
                path.pop()

    def walk(self) -> Iterator[tuple[Path, Node]]:
        """Yield all steps with their paths, outer ones first."""
        return ((path, node) for path, node, left in self.tour() if not left)

    def edges(self) -> Iterator[tuple[Path, Path]]:
        """Yield the paths of what is waited for and of what waits."""
        known = {path for path, _ in self.walk()}
        for path, node in self.walk():
            for dep in node.deps:
                needed = (*path[:-1], dep)
                if needed in known:
                    yield needed, path


def to_graph(picture: Picture) -> dict[str, Any]:
    """Return a picture as plain data."""
    nodes = []
    for path, node in picture.walk():
        told = {"path": _joined(path), "name": node.name, "kind": node.kind}
        more = {
            "inside": _joined(path[:-1]) or None,
            "worker": node.worker,
            "state": node.state,
            "count": node.count,
            "counts": dict(node.counts) or None,
        }
        nodes.append(told | {key: value for key, value in more.items() if value is not None})
    edges = [{"from": _joined(one), "to": _joined(other)} for one, other in picture.edges()]
    return {"nodes": nodes, "edges": edges}


def _joined(path: Path) -> str:
    """Return a path as text, slashes within names written as in a JSON pointer."""
    return "/".join(name.replace("~", "~0").replace("/", "~1") for name in path)


def to_mermaid(picture: Picture) -> str:
    """Return a picture as text for Mermaid."""
    ids = {path: f"n{number}" for number, (path, _) in enumerate(picture.walk())}
    lines = ["flowchart TD", *_mermaid_lines(picture, ids)]
    lines += [f"{_INDENT}{ids[needed]} --> {ids[waiting]}" for needed, waiting in picture.edges()]
    states = {path: node.state for path, node in picture.walk() if node.state is not None}
    for state in dict.fromkeys(states.values()):
        if state in _COLOURS:
            members = ",".join(ids[path] for path, found in states.items() if found == state)
            lines.append(f"{_INDENT}classDef {state} fill:{_COLOURS[state]},color:#222")
            lines.append(f"{_INDENT}class {members} {state}")
    return "\n".join(lines)


def _mermaid_lines(picture: Picture, ids: Mapping[Path, str]) -> Iterator[str]:
    for path, node, left in picture.tour():
        indent = _INDENT * len(path)
        label = _mermaid_label(node.label)
        if left:
            yield f"{indent}end"
        elif node.inside is not None and node.inside.nodes:
            yield f"{indent}subgraph {ids[path]}[{label}]"
        elif node.kind == "group":
            yield f"{indent}{ids[path]}[[{label}]]"
        else:
            yield f"{indent}{ids[path]}[{label}]"


def _mermaid_label(text: str) -> str:
    plain = "".join(
        character if character.isalnum() or character in " _-.,:/()" else f"#{ord(character)};"
        for character in text
    )
    return f'"{plain}"'


def to_dot(picture: Picture) -> str:
    """Return a picture as text for Graphviz."""
    ids = {path: f"n{number}" for number, (path, _) in enumerate(picture.walk())}
    nodes = dict(picture.walk())
    lines = ["digraph {", f"{_INDENT}compound=true", f"{_INDENT}node [shape=box]"]
    lines += _dot_lines(picture, ids)
    for needed, waiting in picture.edges():
        options = []
        ends = []
        for path, option in ((needed, "ltail"), (waiting, "lhead")):
            inner = _within(nodes, path)
            ends.append(ids[inner])
            if inner != path:
                options.append(f"{option}=cluster_{ids[path]}")
        told = f" [{', '.join(options)}]" if options else ""
        lines.append(f"{_INDENT}{ends[0]} -> {ends[1]}{told}")
    return "\n".join([*lines, "}"])


def _dot_lines(picture: Picture, ids: Mapping[Path, str]) -> Iterator[str]:
    for path, node, left in picture.tour():
        indent = _INDENT * len(path)
        label = json.dumps(node.label, ensure_ascii=False)
        if left:
            yield f"{indent}}}"
        elif node.inside is not None and node.inside.nodes:
            yield f"{indent}subgraph cluster_{ids[path]} {{"
            yield f"{indent}{_INDENT}label={label}"
        else:
            colour = _COLOURS.get(node.state or "")
            filled = f', style=filled, fillcolor="{colour}"' if colour else ""
            shape = ", shape=box3d" if node.kind == "group" else ""
            yield f"{indent}{ids[path]} [label={label}{shape}{filled}]"


def _within(nodes: Mapping[Path, Node], path: Path) -> Path:
    """Return the path of a step that is drawn as a node: an edge can't end at what is around it."""
    inside = nodes[path].inside
    while inside is not None and inside.nodes:
        first = inside.nodes[0]
        path, inside = (*path, first.name), first.inside
    return path
