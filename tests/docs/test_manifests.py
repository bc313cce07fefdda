"""The files for Kubernetes and systemd are valid, fit the settings, and are shown as they are."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from staffa import Config
from staffa.settings import parse_queue_list
from tests.docs.pages import PROJECT
from tests.support.services import require_program

FOLDER = PROJECT / "docs/operate/manifests"
MANIFESTS = sorted(FOLDER.glob("*.yaml"))
UNITS = sorted([*FOLDER.glob("*.service"), *FOLDER.glob("*.target")])
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
KUBERNETES = "1.37"
LAST_SECONDS = 30.0
"""What a stop may take beside the grace period; see docs/running.md."""


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text("utf-8")))


def worker_pod() -> dict[str, Any]:
    (deployment,) = [
        document
        for document in documents(FOLDER / "worker.yaml")
        if document["kind"] == "Deployment"
    ]
    pod: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return pod


def settings_of(container: dict[str, Any]) -> dict[str, str]:
    return {
        entry["name"].removeprefix("STAFFA_").lower(): entry["value"]
        for entry in container["env"]
        if "value" in entry
    }


def read_unit(path: Path) -> dict[str, dict[str, list[str]]]:
    """Return the sections of a unit; a key may stand several times."""
    found: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(value)
    return found


def variables_of(unit: dict[str, dict[str, list[str]]]) -> dict[str, str]:
    pairs = [entry.partition("=") for entry in unit["Service"]["Environment"]]
    return {name.removeprefix("STAFFA_").lower(): value for name, _, value in pairs}


def test_the_files_are_found() -> None:
    assert [path.name for path in MANIFESTS] == ["migrate.yaml", "worker.yaml"]
    assert len(SERVICES) == 2


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_fits_the_schemas_of_kubernetes(path: Path) -> None:
    for document in documents(path):
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_a_manifest_with_a_slip_would_be_refused() -> None:
    (job,) = documents(FOLDER / "migrate.yaml")
    job["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenesProbe"):
        kubernetes_validate.validate(job, KUBERNETES, strict=True)


def test_the_pod_has_time_to_stop_and_its_probes_ask_what_they_should() -> None:
    pod = worker_pod()
    (container,) = pod["containers"]
    given = settings_of(container)
    grace = float(given["shutdown_grace"])
    assert pod["terminationGracePeriodSeconds"] >= grace + LAST_SECONDS
    assert container["command"][0] == "staffa"
    (port,) = container["ports"]
    assert port["containerPort"] == int(given["health_port"])
    assert "preStop" not in container.get("lifecycle", {})
    probes = {name: container[name] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    paths = {name: probe["httpGet"]["path"] for name, probe in probes.items()}
    assert paths == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    assert {probe["httpGet"]["port"] for probe in probes.values()} == {port["name"]}
    alive = probes["livenessProbe"]
    assert alive["periodSeconds"] * alive["failureThreshold"] > Config().dead_after
    parse_queue_list(given["queues"])
    assert set(given) <= {*Config.__dataclass_fields__}


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_is_read_without_a_complaint(path: Path, tmp_path: Path) -> None:
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
    parser.read(path)
    assert "Unit" in parser
    analyze = require_program("systemd-analyze")
    true = shutil.which("true")
    assert true is not None
    for unit in UNITS:  # what they start is not on this machine
        text = unit.read_text("utf-8").replace("/srv/shop/.venv/bin/staffa", true)
        (tmp_path / unit.name.replace("@.", "@8081.")).write_text(text)
    name = path.name.replace("@.", "@8081.")
    verified = subprocess.run(
        [analyze, "verify", "--man=no", tmp_path / name],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_service_has_time_to_stop_and_signals_the_worker_alone(path: Path) -> None:
    unit = read_unit(path)
    service = unit["Service"]
    given = variables_of(unit)
    assert float(service["TimeoutStopSec"][0]) >= float(given["shutdown_grace"]) + LAST_SECONDS
    assert (service["KillSignal"], service["KillMode"]) == (["SIGTERM"], ["mixed"])
    assert (service["Restart"], service["OOMPolicy"]) == (["always"], ["continue"])
    assert unit["Unit"]["StartLimitIntervalSec"] == ["0"]
    assert set(given) <= {*Config.__dataclass_fields__}


@pytest.mark.parametrize("path", [*MANIFESTS, *UNITS], ids=lambda path: path.name)
def test_a_page_shows_each_file_word_for_word(path: Path) -> None:
    page = "kubernetes.md" if path.suffix == ".yaml" else "systemd.md"
    text = (PROJECT / "docs/operate" / page).read_text("utf-8")
    assert path.read_text("utf-8") in text
    assert f"(manifests/{path.name})" in text
