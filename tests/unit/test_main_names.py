"""Names of workers that a program defines itself: others must be able to import them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.programs import run_python, write

PROGRAM = """
    from staffa import job

    @job
    def send(to): ...

    if __name__ == "__main__":
        print(send.worker_name)
    """
RESOLVE = "import sys; from staffa import registry; registry.resolve(*sys.argv[1:2], sys.argv[2:])"


def test_a_script_names_its_workers_as_its_own_folder_imports_it(tmp_path: Path) -> None:
    script = write(tmp_path / "app.py", PROGRAM)
    assert run_python(script, folder=tmp_path) == "app.send"
    assert run_python("app.py", folder=tmp_path) == "app.send"
    run_python("-c", RESOLVE, "app.send", "app", folder=tmp_path)


def test_a_script_elsewhere_is_named_after_its_file(tmp_path: Path) -> None:
    script = write(tmp_path / "tools" / "app.py", PROGRAM)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert run_python(script, folder=elsewhere) == "app.send"


def test_a_module_that_is_run_is_named_by_its_package(tmp_path: Path) -> None:
    write(tmp_path / "shop" / "__init__.py", "")
    write(tmp_path / "shop" / "jobs.py", PROGRAM)
    assert run_python("-m", "shop.jobs", folder=tmp_path) == "shop.jobs.send"


def test_a_package_that_is_run_names_its_workers_so_that_they_are_found(tmp_path: Path) -> None:
    write(tmp_path / "shop" / "__init__.py", "")
    write(tmp_path / "shop" / "__main__.py", PROGRAM)
    name = run_python("-m", "shop", folder=tmp_path)
    run_python("-c", RESOLVE, name, "shop", folder=tmp_path)


@pytest.mark.parametrize("code", ["-c", "stdin"])
def test_a_program_without_a_file_still_has_names(tmp_path: Path, code: str) -> None:
    text = "from staffa import job\nexec('@job\\ndef send(to): ...')\nprint(send.worker_name)"
    if code == "-c":
        assert run_python("-c", text, folder=tmp_path) == "__main__.send"
    else:
        script = write(tmp_path / "run.py", f"exec(compile({text!r}, '<stdin>', 'exec'))")
        assert run_python(script, folder=tmp_path) == "run.send"


def test_a_script_that_is_also_imported_by_its_name_defines_its_workers_once(
    tmp_path: Path,
) -> None:
    write(tmp_path / "app.py", PROGRAM + "    import mail\n    print('both')\n")
    write(tmp_path / "mail.py", "import app\n")
    assert run_python("app.py", folder=tmp_path).endswith("both")
