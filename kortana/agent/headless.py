"""One run of a command-line agent on one prompt: started, followed by its stream, ended with all that it started."""

import contextlib
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from kortana.agent.clis import READERS, Cli, Outcome, is_locked_out, is_quota, words_beside
from kortana.agent.mailbox import QUOTA_EXIT_CODE, say
from kortana.agent.shown import Shown
from kortana.processes.following import follow
from kortana.processes.offspring import end_with_offspring
from kortana.processes.sessions import start_apart
from kortana.protocol.parsing import parse_json

STOP_GRACE_S = 5.0
MAX_LINE = 32 << 20
"""Bytes of one event of a stream: it may hold whole files that the agent has read."""
KEPT_LINES = 20
MAX_TEXT = 8_000


class Ended(msgspec.Struct):
    """What came of a run."""

    code: int
    outcome: Outcome
    lines: list[str]
    """The last ones that it wrote, of its stream and beside it."""
    unfit: bool = False
    """The agent cannot work here, whatever the task: its program is missing, or nobody is logged in."""
    beside: str = ""
    """What stands beside its stream, where that may say why it ended."""

    @property
    def failed(self) -> bool:
        return self.code != 0 or bool(self.outcome.error)

    @property
    def why(self) -> str:
        """Of a failed run: its stream's word, else how it ended and what stands beside the stream."""
        return self.outcome.error or f"exit code {self.code}" + (f": {self.beside}" if self.beside else "")

    @property
    def is_quota_spent(self) -> bool:
        """Of a failed run. What the agent itself has written does not count: its task may be about quotas."""
        return self.outcome.quota or self.code == QUOTA_EXIT_CODE or is_quota(self.outcome.error or self.beside)


class HeadlessRun:
    """Runs a CLI. stall_timeout: seconds without a word after which it is ended; 0: never. note: is told what it is
    doing, at each step."""

    def __init__(self, cli: Cli, stall_timeout: float, note: Callable[[str], None]) -> None:
        self._cli, self._stall_timeout, self._note = cli, stall_timeout, note
        self._outcome, self._lines, self._shown = Outcome(), deque[str](maxlen=KEPT_LINES), Shown(cli.stream)

    def carry_out(
        self, prompt: str, folder: Path, variables: Mapping[str, str], when_lost: Callable[[Callable[[], object]], None]
    ) -> Ended:
        """To its end. when_lost: takes what is to be done where the work is no longer wanted."""
        by_argument = self._cli.prompt == "argument"
        words = [*self._cli.command, *([prompt] if by_argument else [])]
        environment = {**dict(self._cli.environment), **variables, "PWD": str(folder)}  # opencode works where PWD says
        try:
            process = start_apart(
                words, cwd=folder, stdin=subprocess.DEVNULL if by_argument else subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
            )  # fmt: skip
        except OSError as error:
            is_missing = isinstance(error, FileNotFoundError) and error.filename == words[0]
            hint = f"; install it: {self._cli.install}" if is_missing and self._cli.install else ""
            told = f"cannot run {words[0]}: {error.strerror}{hint}"
            return Ended(127, Outcome(error=told), [], unfit=is_missing or isinstance(error, PermissionError))
        except ValueError as error:  # a NUL in the prompt
            return Ended(126, Outcome(error=f"cannot run {words[0]}: {error}"), [])
        if process.stdin is not None:
            threading.Thread(target=_feed, args=(process, prompt), daemon=True).start()
        when_lost(lambda: end_with_offspring(process, STOP_GRACE_S))
        is_through = follow(process, self._take, self._stall_timeout, MAX_LINE)
        code = end_with_offspring(process, STOP_GRACE_S)
        for line in self._shown.rest():
            say(line)
        lines = list(self._lines)
        beside = words_beside(self._cli, lines)
        if not is_through:
            stalled = f"stalled: no word for {self._stall_timeout:g}s"
            self._outcome.error = f"{stalled}; the last one: {beside}" if beside else stalled
        is_told = self._outcome.locked_out or is_locked_out(self._outcome.error)
        unfit = is_told or code in self._cli.locked_out_codes
        return Ended(code, self._outcome, lines, unfit, beside)

    def _take(self, text: str) -> None:
        self._lines.append(text[:400])
        event = event_of(self._cli.stream, text)
        for line in self._shown.lines(text, event):
            say(line)
        if take_in(self._cli.stream, text, event, self._outcome):
            self._note(self._outcome.note)


def event_of(stream: str, text: str) -> dict[str, Any] | None:
    """The event that a line of this stream is; None where it is something else."""
    if stream == "text" or not text.startswith("{"):
        return None
    try:
        event = parse_json(text)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def take_in(stream: str, text: str, event: dict[str, Any] | None, outcome: Outcome) -> bool:
    """Takes in one line of output, and the event that it is; whether it showed progress."""
    steps = outcome.steps
    if stream == "text":
        outcome.text = (outcome.text + text + "\n")[-MAX_TEXT:]
        outcome.note = text
        outcome.steps += 1
    elif event is not None:
        with contextlib.suppress(TypeError, ValueError, AttributeError, OverflowError):
            READERS[stream](event, outcome)
    return outcome.steps > steps


def _feed(process: "subprocess.Popen[bytes]", prompt: str) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.write(prompt.encode())
    with contextlib.suppress(OSError):
        process.stdin.close()
