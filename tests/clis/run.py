"""The adapters with the real command-line agents, and a model of ours on loopback; called by `make clis`.

The programs come from npm, into `.clis/`; they find no home but a folder of ours. Prints a line for each thing that was
looked at; exit code 1 where one of them is not as it should be.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.clis.model import SPENT, Model
from tests.e2e.project import ROOT, Project, eventually

PLACE = ROOT / ".clis"
PACKAGES = {
    "claude": "@anthropic-ai/claude-code", "codex": "@openai/codex", "gemini": "@google/gemini-cli",
    "opencode": "opencode-ai",
}  # fmt: skip
SETUPS = (("@anthropic-ai/claude-code", "install.cjs"), ("opencode-ai", "postinstall.mjs"))
"""What npm may leave undone: each takes the program for this machine to its place."""
KINDS = sorted(PACKAGES)
PATIENCE_S = 300.0
TASKS = ("write", "stumble", "refuse", "use", "limit")
"""In the order in which each agent takes them: after the last one it is parked."""


def install() -> None:
    if not all((PLACE / "node_modules" / ".bin" / kind).exists() for kind in KINDS):
        PLACE.mkdir(exist_ok=True)
        words = ["npm", "install", "--no-fund", "--no-audit", "--prefix", str(PLACE), *PACKAGES.values()]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        for package, script in SETUPS:
            subprocess.run(["node", script], cwd=PLACE / "node_modules" / package, check=True)


def furnish(home: Path, project: Path, url: str) -> dict[str, str]:
    """A home in which each agent finds our model, and nothing else to talk to; gives the variables for it."""
    for folder in (".codex", ".gemini", ".config/opencode"):
        (home / folder).mkdir(parents=True)
    (home / ".codex" / "config.toml").write_text(
        f'model = "ours"\nmodel_provider = "ours"\n[model_providers.ours]\nname = "ours"\nbase_url = "{url}/v1"\n'
        f'wire_api = "responses"\nenv_key = "OUR_KEY"\n[projects."{project}"]\ntrust_level = "trusted"\n'
    )
    auth = {"security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": False}}
    (home / ".gemini" / "settings.json").write_text(json.dumps(auth))
    options = {"baseURL": f"{url}/v1", "apiKey": "x"}
    provider = {"npm": "@ai-sdk/openai-compatible", "name": "ours", "options": options, "models": {"m": {"name": "m"}}}
    settings = {"model": "ours/m", "small_model": "ours/m", "autoupdate": False, "provider": {"ours": provider}}
    (home / ".config" / "opencode" / "opencode.json").write_text(json.dumps(settings))
    return {
        "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "OUR_KEY": "x",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(PLACE / "node_modules" / ".bin"),
                                 os.environ["PATH"]]),
        "ANTHROPIC_BASE_URL": url, "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-of-nobody",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "GOOGLE_GEMINI_BASE_URL": url, "GEMINI_API_KEY": "x",
    }  # fmt: skip


def repository(project: Project) -> None:
    """With `kortana mcp` registered for all four, and whatever else they need to use it headless."""
    for kind in KINDS:
        project.call("mcp", "install", kind)
    settings = project.folder / ".gemini" / "settings.json"
    found = json.loads(settings.read_text())
    found["mcpServers"]["kortana"]["trust"] = True
    settings.write_text(json.dumps(found))
    (project.folder / ".gitignore").write_text("data*/\nkortana.yaml\n.kortana/\n")
    for words in (["init", "-qb", "main"], ["add", "-A"], ["commit", "-qm", "begin"]):
        subprocess.run(["git", *words], cwd=project.folder, env=project.env, check=True)


def prompt(kind: str, task: str) -> str:
    number = KINDS.index(kind)
    return {
        "write": f"WRITE {kind}.txt", "stumble": f"STUMBLE {number}", "refuse": "REFUSE", "limit": "LIMIT",
        "use": f'USE send_message {{"text": "from {kind}"}}', "hang": "HANG",
    }[task]  # fmt: skip


def write(project: Project, tasks: tuple[str, ...], data: str) -> None:
    team = {kind: {"agent": kind, "capabilities": [kind], "quota_delay": "1h", "ready": {"type": "hello"},
                   "cli": {"worktree": True, "merge": True}} for kind in KINDS}  # fmt: skip
    graph = [{"id": f"{kind}-{task}", "prompt": prompt(kind, task), "requires": [kind], "max_attempts": 1,
              "priority": 100 - tasks.index(task)} for kind in KINDS for task in tasks]  # fmt: skip
    project.write({"workers": team, "tasks": graph, "data_dir": data})


def write_guarded(project: Project, data: str) -> None:
    """Claude Code in the checkout itself, where its hook alone can stand before an edit."""
    project.call("guard", "install", "claude")
    graph = [{"id": name, "prompt": f"WRITE {name}.txt", "paths": ["inside.txt"]} for name in ("inside", "outside")]
    team = {"claude": {"agent": "claude"}}
    project.write({"guard": "enforce", "data_dir": data, "workers": team, "tasks": graph})


class Findings:
    def __init__(self) -> None:
        self.failed = self.looked_at = 0

    @property
    def is_good(self) -> bool:
        return self.looked_at > 0 and not self.failed

    def say(self, what: str, ok: bool, seen: object = "") -> None:
        self.looked_at += 1
        self.failed += not ok
        print("ok  " if ok else "FAIL", what, "" if ok else seen, flush=True)


def look(project: Project, found: Findings) -> None:
    tasks: dict[str, dict[str, Any]] = {task["id"]: task for task in project.json("tasks", "list")["tasks"]}
    said = {(r["source"], r["payload"].get("text")) for r in project.journal() if r["event_type"] == "INFO"}
    for kind in KINDS:
        task = tasks[f"{kind}-write"]
        is_there = (project.folder / f"{kind}.txt").exists()
        merged = (task["status"], (task.get("result") or {}).get("merged"))
        found.say(f"{kind}: its edit is in the repository", is_there and merged == ("completed", True), task)
        task = tasks[f"{kind}-stumble"]
        found.say(f"{kind}: an error that it gets over fails nothing", task["status"] == "completed", task)
        task = tasks[f"{kind}-refuse"]
        told = task["status"] == "failed" and "refuses this" in task["details"]
        found.say(f"{kind}: a refusal is a failure, with its reason", told, task)
        found.say(f"{kind}: it uses kortana mcp", (kind, f"from {kind}") in said, tasks[f"{kind}-use"])
        task = tasks[f"{kind}-limit"]
        unharmed = (task["status"], task["attempts"]) == ("pending", 0)
        found.say(f"{kind}: a used-up quota costs no attempt", unharmed, task)
    status = subprocess.run(["git", "status", "--porcelain"], cwd=project.folder, capture_output=True, text=True)
    found.say("nothing was changed beside the merges", status.stdout == "", status.stdout)


def check(folder: Path, found: Findings) -> None:
    place = folder / "project"
    place.mkdir()
    model, project = Model(), Project(place)
    project.env.update(furnish(folder / "home", place, model.url))
    for name in ("AUTHOR", "COMMITTER"):
        project.env.update({f"GIT_{name}_NAME": "n", f"GIT_{name}_EMAIL": "e"})
    for kind in KINDS:
        done = subprocess.run([kind, "--version"], env=project.env, capture_output=True, text=True, check=True)
        print(f"     {kind}: {done.stdout.strip()}")
    try:
        repository(project)
        write(project, TASKS, "data")
        project.up()
        eventually(
            lambda: {worker["state"] for worker in project.json("ps")["workers"]} == {"parked"},
            f"all have come to the end of their quota ({SPENT})", PATIENCE_S,
        )  # fmt: skip
        look(project, found)
        project.down()
        write_guarded(project, "data2")
        assert project.start_foreground("--exit-when-done").wait(PATIENCE_S) == 0
        made = [(place / f"{name}.txt").exists() for name in ("inside", "outside")]
        found.say("claude: the guard's hook stands before its edits", made == [True, False], made)
        write(project, ("hang",), "data3")
        project.up()
        eventually(lambda: model.hung >= len(KINDS), "all wait for their model", PATIENCE_S)
        project.down()
        found.say("down leaves nothing of them", project.all_gone(), project.processes())
    finally:
        project.clean_up()
        model.closing.set()
        model.shutdown()


def main() -> int:
    if shutil.which("npm") is None:
        print("npm is missing: install Node 20 or newer", file=sys.stderr)
        return 1
    install()
    found = Findings()
    folder = Path(tempfile.mkdtemp()).resolve()
    try:
        check(folder, found)
    finally:
        if found.is_good:
            shutil.rmtree(folder)
        else:
            print(f"everything is left in {folder}")
    return 0 if found.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
