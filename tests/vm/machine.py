"""Units and scopes of systemd, the machine's own and those of its user `kortana`, and what is in their cgroups."""

import contextlib
import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

from tests.e2e.project import KORTANA, PATIENCE_S, ROOT, Project

CGROUPS = Path("/sys/fs/cgroup")
USER = "kortana"
RUNTIME = "/run/user/1000"


class Place(Project):
    """A project of the machine (root's), or of its user; commands run as whose it is."""

    def __init__(self, folder: Path, user: bool) -> None:
        super().__init__(folder)
        self.env["HOME"] = f"/home/{USER}" if user else "/root"
        self.as_owner = ["setpriv", "--reuid", USER, "--regid", USER, "--init-groups"] if user else []
        if user:
            self.env["XDG_RUNTIME_DIR"] = RUNTIME
            self.env["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={RUNTIME}/bus"
        self._user = user
        self.unit = f"team-{self.mark}"
        self.sleep = str(100_000_000 + int(self.mark[:7], 16))
        """Seconds that only processes of this place sleep."""

    def own(self) -> None:
        """All in the folder is the user's."""
        if self._user:
            for path in (self.folder, *self.folder.rglob("*")):
                shutil.chown(path, USER, USER)

    def run(self, *words: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Runs it to its end, as the project's owner."""
        done = subprocess.run(
            [*self.as_owner, *words],
            cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=3 * PATIENCE_S, check=False,
        )  # fmt: skip
        assert expect is None or done.returncode == expect, (words, done.returncode, done.stdout, done.stderr)
        return done

    def call(self, *words: str, expect: int | None = 0, **kwargs: object) -> subprocess.CompletedProcess[str]:
        assert not kwargs
        return self.run(KORTANA, *words, expect=expect)

    def json(self, *words: str) -> Any:
        return json.loads(self.call(*words, "--json").stdout)

    def crashes_of(self, worker: str) -> list[dict[str, Any]]:
        """Their records, as they are on disk."""
        found = [json.loads(path.read_text()) for path in (self.folder / "data" / "crashes").glob("*.json")]
        return [record for record in found if record["worker"] == worker]

    def systemctl(self, *words: str, expect: int | None = 0) -> str:
        return self.run("systemctl", *(["--user"] if self._user else []), *words, expect=expect).stdout

    def state(self, name: str) -> str:
        """A property of the unit."""
        return self.systemctl("show", "--value", "--property", name, self.unit).strip()

    def begin_unit(self, **settings: str) -> None:
        """The unit that we ship, for this project; with these settings instead of its own."""
        self.own()
        lines = []
        for line in (ROOT / "config" / "kortana.service").read_text().splitlines():
            name = line.partition("=")[0]
            lines.append(f"{name}={settings.pop(name)}" if name in settings else line)
        text = "\n".join(lines).replace("/srv/project", str(self.folder)).replace("/usr/bin/env kortana", KORTANA)
        text = text.replace("[Service]", f"[Service]\nEnvironment=E2E_MARK={self.mark} PYTHONPATH={ROOT}")
        text += "".join(f"\n{name}={value}" for name, value in settings.items())
        folder = Path(f"{RUNTIME}/systemd/user" if self._user else "/run/systemd/system")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.unit}.service").write_text(text)
        self.systemctl("daemon-reload")
        self.systemctl("start", self.unit)

    def cgroup(self) -> Path:
        """The unit's."""
        return CGROUPS / self.state("ControlGroup").lstrip("/")

    def sleepers(self) -> set[int]:
        """Processes of this place's that sleep, whatever their environment."""
        found = set()
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if self.sleep.encode() in path.read_bytes():
                    found.add(int(path.parent.name))
        return found

    def left(self) -> list[str]:
        """Cgroups that its runs have made and not removed."""
        runs = tuple(f"kortana-{event['run_id']}" for event in self.supervision("up"))
        assert runs
        return [path for path, _, _ in os.walk(CGROUPS) if os.path.basename(path).startswith(runs)]

    def in_a_scope(self, *words: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Runs it in a scope that it has to itself, as a terminal has one."""
        self.own()
        whose = ["--user"] if self._user else []
        scope = ["systemd-run", *whose, "--quiet", "--scope", "--collect", "-p", "Delegate=yes", f"--unit={self.unit}"]
        return self.run(*scope, *words, expect=expect)

    def clean_up(self) -> None:
        self.systemctl("stop", self.unit, expect=None)
        super().clean_up()


def folder_for(user: bool) -> Path:
    """A new one, which its owner can come to."""
    folder = Path(f"/home/{USER}" if user else "/root") / uuid.uuid4().hex
    folder.mkdir()
    if user:
        os.chown(folder, 1000, 1000)
    return folder
