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

    def walk(self, path: Path = ()) -> Iterator[tuple[Path, Node]]:
        """Yield all steps with their paths, outer ones first."""
        for node in self.nodes:
            own = (*path, node.name)
            yield own, node
            if node.inside is not None:
                yield from node.inside.walk(own)

    def edges(self, path: Path = ()) -> Iterator[tuple[Path, Path]]:
        """Yield the paths of what is waited for and of what waits."""
        known = {node.name for node in self.nodes}
        for node in self.nodes:
            for dep in node.deps:
                if dep in known:
                    yield (*path, dep), (*path, node.name)
            if node.inside is not None:
                yield from node.inside.edges((*path, node.name))


def to_graph(picture: Picture) -> dict[str, Any]:
    """Return a picture as plain data."""
    nodes = []
    for path, node in picture.walk():
        told = {"path": "/".join(path), "name": node.name, "kind": node.kind}
        more = {
            "inside": "/".join(path[:-1]) or None,
            "worker": node.worker,
            "state": node.state,
            "count": node.count,
            "counts": dict(node.counts) or None,
        }
        nodes.append(told | {key: value for key, value in more.items() if value is not None})
    edges = [{"from": "/".join(one), "to": "/".join(other)} for one, other in picture.edges()]
    return {"nodes": nodes, "edges": edges}


def to_mermaid(picture: Picture) -> str:
    """Return a picture as text for Mermaid."""
    ids = {path: f"n{number}" for number, (path, _) in enumerate(picture.walk())}
    lines = ["flowchart TD", *_mermaid_lines(picture, ids, (), 1)]
    lines += [f"{_INDENT}{ids[needed]} --> {ids[waiting]}" for needed, waiting in picture.edges()]
    states = {path: node.state for path, node in picture.walk() if node.state is not None}
    for state in dict.fromkeys(states.values()):
        if state in _COLOURS:
            members = ",".join(ids[path] for path, found in states.items() if found == state)
            lines.append(f"{_INDENT}classDef {state} fill:{_COLOURS[state]},color:#222")
            lines.append(f"{_INDENT}class {members} {state}")
    return "\n".join(lines)


def _mermaid_lines(
    picture: Picture, ids: Mapping[Path, str], path: Path, depth: int
) -> Iterator[str]:
    indent = _INDENT * depth
    for node in picture.nodes:
        own = (*path, node.name)
        label = _mermaid_label(node.label)
        if node.inside is not None and node.inside.nodes:
            yield f"{indent}subgraph {ids[own]}[{label}]"
            yield from _mermaid_lines(node.inside, ids, own, depth + 1)
            yield f"{indent}end"
        elif node.kind == "group":
            yield f"{indent}{ids[own]}[[{label}]]"
        else:
            yield f"{indent}{ids[own]}[{label}]"


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
    lines += _dot_lines(picture, ids, (), 1)
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


def _dot_lines(picture: Picture, ids: Mapping[Path, str], path: Path, depth: int) -> Iterator[str]:
    indent = _INDENT * depth
    for node in picture.nodes:
        own = (*path, node.name)
        label = json.dumps(node.label, ensure_ascii=False)
        if node.inside is not None and node.inside.nodes:
            yield f"{indent}subgraph cluster_{ids[own]} {{"
            yield f"{indent}{_INDENT}label={label}"
            yield from _dot_lines(node.inside, ids, own, depth + 1)
            yield f"{indent}}}"
            continue
        colour = _COLOURS.get(node.state or "")
        filled = f', style=filled, fillcolor="{colour}"' if colour else ""
        shape = ", shape=box3d" if node.kind == "group" else ""
        yield f"{indent}{ids[own]} [label={label}{shape}{filled}]"


def _within(nodes: Mapping[Path, Node], path: Path) -> Path:
    """Return the path of a step that is drawn as a node: an edge can't end at what is around it."""
    inside = nodes[path].inside
    while inside is not None and inside.nodes:
        first = inside.nodes[0]
        path, inside = (*path, first.name), first.inside
    return path
