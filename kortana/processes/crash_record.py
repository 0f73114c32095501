"""The record of a death, built from what is known of it."""

import secrets
import time
from typing import Any

import msgspec

from kortana.core.fingerprint import fingerprint_of
from kortana.core.secrets import Masker, is_secret_name
from kortana.core.verdict import Death, Verdict
from kortana.ports import CrashSettings, ProcessExit
from kortana.protocol.timestamps import iso_from_ms


class CrashName(msgspec.Struct, frozen=True):
    """A record that has its name, and the moment that it is about."""

    id: str
    """Sorts by time."""
    at: str

    @classmethod
    def of(cls, worker: str, incarnation: int) -> "CrashName":
        stamp = iso_from_ms(time.time_ns() // 1_000_000)
        digits = stamp[:19].replace("-", "").replace(":", "")
        return cls(f"{digits}-{worker}-{incarnation}-{secrets.token_hex(2)}", stamp)


class Moment(msgspec.Struct, frozen=True):
    """What is known beside the exit itself. held, events: as the coordinator knows them."""

    pid: int | None
    uptime_s: float | None
    ready: bool
    restart: dict[str, Any]
    """What comes next."""
    held: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []


def in_utf8(value: Any) -> Any:
    """Text, or a list of it. From the system it may be no UTF-8, and holds surrogates in its place, which JSON has
    not."""
    if isinstance(value, list):
        return [in_utf8(item) for item in value]
    return value.encode("utf-8", "backslashreplace").decode()


def masker_of(env: dict[str, str]) -> Masker:
    """Of what no record of a worker may show: what looks like a secret, and what is one in its environment."""
    return Masker(tuple(value for name, value in env.items() if is_secret_name(name)))


def crash_record(
    name: CrashName, incarnation: tuple[str, int], settings: CrashSettings, how: ProcessExit, death: Death,
    verdict: Verdict, moment: Moment, masker: Masker,
) -> dict[str, Any]:  # fmt: skip
    """As JSON; `crashes/ID.json` in the contract names its fields. incarnation: the worker and its number. masker: of
    all but the settings, which show no secrets."""
    lines = [line.text for line in how.output]
    said = {
        "summary": verdict.summary, "evidence": list(verdict.evidence),
        "exception": death.exception, "stacks": death.stacks,
        "output": [{"at": line.at, "stream": line.stream, "text": line.text} for line in how.output],
        "task": moment.held[0] if moment.held else None, "tasks": moment.held, "events": moment.events,
        "restart": moment.restart,
    }  # fmt: skip
    return {
        "version": 1, "id": name.id,
        "fingerprint": fingerprint_of(
            verdict.kind, death.signal or f"code {death.code}", death.exception, death.stacks, lines
        ),
        "worker": incarnation[0], "incarnation": incarnation[1], "at": name.at,
        "pid": moment.pid, "uptime_s": moment.uptime_s, "ready": moment.ready,
        "exit_code": death.code, "signal": death.signal, "core_dumped": how.core_dumped, "verdict": verdict.kind,
        **masker.value(said),
        "rusage": {
            "user_s": how.user_s, "system_s": how.system_s, "max_rss_bytes": how.max_rss_bytes,
            "samples": [msgspec.structs.asdict(sample) for sample in how.samples],
        },
        "swept": how.swept, "command": settings.command, "cwd": settings.cwd, "config_hash": settings.config_hash,
        "code_version": settings.code_version, "environment_names": settings.environment_names,
    }  # fmt: skip
