"""Pictures of workflows that are being built."""

from __future__ import annotations

import sys

from staffa import Job, Workflow, job
from staffa.flows.pictures import Node, Picture, to_dot, to_graph, to_mermaid


@job
def write(chapter: str) -> None: ...


def order() -> Workflow:
    def task() -> Job:
        return Job(worker="shop.task")

    refund = Workflow().add("money", task()).add('the "note"', task(), deps="money")
    return (
        Workflow("order")
        .add("charge", task())
        .add_many("mails", [task(), task()], deps="charge")
        .add_workflow("refund", refund, deps="mails")
        .add_cascade("pages", (iter(["x"]), write), deps=["refund", "charge"])
    )


def test_a_graph_is_nodes_and_edges() -> None:
    graph = order().to_graph()
    assert [(node["path"], node["kind"]) for node in graph["nodes"]] == [
        ("charge", "job"),
        ("mails", "group"),
        ("refund", "workflow"),
        ("refund/money", "job"),
        ('refund/the "note"', "job"),
        ("pages", "group"),
    ]
    assert graph["nodes"][1]["count"] == 2
    assert {"from": "refund/money", "to": 'refund/the "note"'} in graph["edges"]
    assert {"from": "refund", "to": "pages"} in graph["edges"]


def test_mermaid_draws_workflows_around_their_steps() -> None:
    assert order().to_mermaid() == "\n".join(
        [
            "flowchart TD",
            '    n0["charge"]',
            '    n1[["mails (2)"]]',
            '    subgraph n2["refund"]',
            '        n3["money"]',
            '        n4["the #34;note#34;"]',
            "    end",
            '    n5[["pages (many)"]]',
            "    n0 --> n1",
            "    n1 --> n2",
            "    n3 --> n4",
            "    n2 --> n5",
            "    n0 --> n5",
        ]
    )


def test_graphviz_leads_edges_to_the_borders_of_workflows() -> None:
    lines = order().to_dot().splitlines()
    assert "    n1 -> n3 [lhead=cluster_n2]" in lines
    assert "    n3 -> n5 [ltail=cluster_n2]" in lines
    assert '        n4 [label="the \\"note\\""]' in lines
    assert lines[-1] == "}"


def test_states_are_coloured() -> None:
    picture = Picture([Node(name="a", kind="job", state="completed")])
    assert "class n0 completed" in to_mermaid(picture)
    assert "fillcolor" in to_dot(picture)


def test_names_with_slashes_are_not_mistaken_for_paths() -> None:
    inner = Picture([Node(name="b", kind="job")])
    picture = Picture([Node(name="a", kind="workflow", inside=inner), Node(name="a/b", kind="job")])
    assert '    n2["a/b"]' in to_mermaid(picture).splitlines()


def test_nor_are_they_in_a_graph() -> None:
    inner = Picture([Node(name="b", kind="job")])
    picture = Picture([Node(name="a", kind="workflow", inside=inner), Node(name="a/b", kind="job")])
    assert [node["path"] for node in to_graph(picture)["nodes"]] == ["a", "a/b", "a~1b"]


def test_workflows_may_be_nested_as_deeply_as_grafts_go() -> None:
    depth = sys.getrecursionlimit()
    picture = Picture([Node(name="last", kind="job", deps=["first"])])
    for _ in range(depth):
        nodes = [Node(name="a", kind="job"), Node(name="b", kind="graft", inside=picture)]
        picture = Picture(nodes)
    assert len(to_graph(picture)["nodes"]) == 2 * depth + 1
    assert to_mermaid(picture).count("subgraph") == depth
    assert to_dot(picture).count("subgraph") == depth
