"""docs/workers.md: what it shows is what works."""

import re
from pathlib import Path

from tests.e2e.project import ROOT, Project, eventually

_FILE = re.compile(r"```(?:sh|yaml|python)\n((?:#![^\n]*\n)?# file: (\S+)\n.*?)```", re.DOTALL)


def written(page: str, folder: Path) -> set[str]:
    """Writes the files that a page shows."""
    found = {name: text for text, name in _FILE.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))}
    for name, text in found.items():
        (folder / name).write_text(text)
    return set(found)


def test_the_workers_that_are_shown_work(project: Project) -> None:
    assert written("workers.md", project.folder) == {"worker.sh", "my_workers.py", "kortana.yaml"}
    (project.folder / "work.sh").write_text('echo "$KORTANA_LEASE" > "$KORTANA_TASK.token"\n')
    project.up()
    for name in ("one", "two"):
        project.call("tasks", "add", name, "--title", f"The {name}")
    project.call("stop", "python")
    eventually(lambda: project.running("script"))
    project.call("tasks", "add", "three")
    done = eventually(lambda: (task := project.task("three"))["status"] == "completed" and task)
    assert done["result"] == {"exit_code": 0, "command": ["sh", "work.sh"]}
    token = next(r["payload"]["lease"]["token"] for r in done["history"] if "lease" in r["payload"])
    assert (project.folder / "three.token").read_text() == f"{token}\n"
    project.call("stop", "script")
    project.call("start", "python")
    project.call("tasks", "add", "four", "--title", "The fourth")
    done = eventually(lambda: (task := project.task("four"))["status"] == "completed" and task)
    assert done["result"] == {"wrote": "out/four.txt"}
    assert (project.folder / "out" / "four.txt").read_text().startswith("The fourth, token ")
    assert {project.task(name)["status"] for name in ("one", "two")} == {"completed"}
    project.audit()
