"""Where the `kortana` command begins. `kortana agent` and `kortana mcp` take short cuts that load next to nothing."""

import codecs
import os
import sys

from kortana import why_not_here


def _open_streams() -> None:
    """Who was started with a standard stream closed gets /dev/null for it: else the next file that is opened, the
    journal perhaps, would take its number, and what is printed would go there. No stream fails at what its encoding
    lacks."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it got the lowest number that is free
            setattr(sys, name, open(fd, "w" if fd else "r", closefd=False))  # noqa: SIM115
    codecs.register_error("json", _escaped)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="json")  # type: ignore[union-attr]


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """What a stream's encoding cannot say is written as JSON says it, which people can read as well."""
    assert isinstance(error, UnicodeEncodeError)
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2)), error.end


def _refuse_system() -> None:
    """Says so where Kortana does not run, before anything is loaded that is not there."""
    message, hint = why_not_here()
    if message:
        from kortana.cli.errors import FAILED, CliError, show

        sys.exit(show(CliError(FAILED, "unsupported_system", message, hint), "--json" in sys.argv))


def main() -> None:
    """Runs the command line and exits with its code."""
    try:
        sys.exit(_run())
    except KeyboardInterrupt:  # while something was loaded, say
        sys.exit(130)


def _run() -> int:
    _refuse_system()
    _open_streams()
    word, rest = (sys.argv[1:2] or [""])[0], sys.argv[2:]
    if word in ("agent", "mcp", "guard") and "KORTANA_TOKEN" not in os.environ:
        from kortana.cli.identity import take_after_worker

        take_after_worker()
    if word == "agent":
        from kortana.cli.agent import agent_main

        return agent_main(rest)
    from kortana.cli.errors import ending

    as_json = "--json" in rest
    if word == "mcp":
        from kortana.mcp.server import main as mcp_main

        return ending(lambda: mcp_main(rest), as_json, "kortana mcp")
    if word == "guard":
        from kortana.cli.guard import guard_main

        return ending(lambda: guard_main(rest), as_json, "kortana guard")
    from kortana.cli.app import run

    return run()
