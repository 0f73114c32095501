"""What a death means: one verdict, with the evidence that shows it. A table of rules, tried in order."""

from collections.abc import Callable
from typing import Any

import msgspec

FATAL_SIGNALS = frozenset({"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGSYS", "SIGTRAP"})


class Death(msgspec.Struct, frozen=True):
    """The facts about one end of a worker."""

    code: int | None = None
    signal: str | None = None
    failing: str = ""
    """Why Kortana itself ended it as unwell: `heartbeat timeout`, `progress timeout`, `readiness timeout`."""
    unready: str = ""
    """What was waited for, and what came instead, where it was not ready in time."""
    start_error: str = ""
    """Why its program could not be started."""
    exception: dict[str, Any] | None = None
    stacks: str = ""
    oom_kills: int = 0
    oom_evidence: str = ""
    is_quota: bool = False
    launcher_died: bool = False
    actor_error: str = ""


class Verdict(msgspec.Struct, frozen=True):
    kind: str
    summary: str
    """One sentence for a person."""
    evidence: tuple[str, ...]


def _exception_line(exception: dict[str, Any]) -> str:
    message = exception["message"]
    return f"{exception['type']}: {message}" if message else str(exception["type"])


def _by_exception(death: Death) -> Verdict | None:
    exception = death.exception
    if exception is None:
        return None
    line = _exception_line(exception)
    frames = exception["frames"]
    where = (f"{frames[-1]['file']}:{frames[-1]['line']} in {frames[-1]['function']}",) if frames else ()
    if exception["type"] == "SystemExit":
        return Verdict("exit", f"it called sys.exit({exception['message']})", (f"exit code {death.code}", *where))
    if exception["type"] == "RecursionError":
        return Verdict("stack_overflow", f"its recursion had no end: {line}", where)
    return Verdict("exception", f"an exception that nobody caught: {line}", (*where, f"exit code {death.code}"))


def _by_oom(death: Death) -> Verdict | None:
    if death.oom_kills == 0 or death.signal != "SIGKILL":
        return None
    return Verdict("out_of_memory", "the kernel killed it: it had reached its memory limit", (death.oom_evidence,))


def _by_failing(death: Death) -> Verdict | None:
    if not death.failing:
        return None
    kinds = {"readiness timeout": ("not_ready", "it was not ready in time, and was ended")}
    kind, summary = kinds.get(death.failing, ("hung", f"it hung ({death.failing}), and was ended"))
    evidence = [text for text in (death.failing, death.unready) if text]
    if death.stacks:
        evidence.append("its threads' stacks were taken before it was ended")
    return Verdict(kind, summary, tuple(evidence))


def _by_start_error(death: Death) -> Verdict | None:
    if not death.start_error:
        return None
    return Verdict("could_not_start", f"its program could not be started: {death.start_error}", (death.start_error,))


def _by_fatal_signal(death: Death) -> Verdict | None:
    if death.signal not in FATAL_SIGNALS:
        return None
    overflow = death.stacks.count("\n  File ") > 80
    more = ("faulthandler has the stack of that moment",) if death.stacks else ()
    if overflow:
        return Verdict("stack_overflow", f"its stack ran over ({death.signal})", (f"signal {death.signal}", *more))
    return Verdict("fatal_signal", f"the program itself is broken: {death.signal}", (f"signal {death.signal}", *more))


def _by_signal(death: Death) -> Verdict | None:
    if death.signal is None:
        return None
    if death.signal == "SIGKILL":
        what = "somebody killed it with SIGKILL: not Kortana, and no memory limit of Kortana's was reached"
        return Verdict("killed", what, ("signal SIGKILL", f"memory kills counted: {death.oom_kills}"))
    return Verdict("signalled", f"somebody sent it {death.signal}: not Kortana", (f"signal {death.signal}",))


_SHELL_CODES = {126: "could not be run (126, as shells say)", 127: "was not found (127, as shells say)"}


def _by_code(death: Death) -> Verdict | None:
    if death.code in _SHELL_CODES:
        return Verdict("command_missing", f"a command {_SHELL_CODES[death.code]}", (f"exit code {death.code}",))
    return Verdict("exit", f"it ended by itself with exit code {death.code}", (f"exit code {death.code}",))


def _by_launcher(death: Death) -> Verdict | None:
    if not death.launcher_died:
        return None
    return Verdict("launcher_died", "it died with Kortana's launcher, through no fault of its own", ("SIGKILL",))


def _by_actor(death: Death) -> Verdict | None:
    if not death.actor_error:
        return None
    return Verdict("kortana_bug", f"Kortana's own actor for it died: {death.actor_error}", (death.actor_error,))


def _by_quota(death: Death) -> Verdict | None:
    if not death.is_quota:
        return None
    summary = f"its quota is used up (exit code {death.code}): parked, not counted as a crash"
    return Verdict("quota", summary, (f"exit code {death.code}",))


_RULES: tuple[Callable[[Death], Verdict | None], ...] = (
    _by_launcher, _by_actor, _by_start_error, _by_failing, _by_oom, _by_quota, _by_exception, _by_fatal_signal,
    _by_signal, _by_code,
)  # fmt: skip


def verdict_of(death: Death) -> Verdict:
    """The first rule that knows the death."""
    return next(found for rule in _RULES if (found := rule(death)) is not None)
