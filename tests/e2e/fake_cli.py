"""Behaves as a command-line agent does headless: its JSON stream, exit codes, quota error, hang, crash, grandchild.

usage: fake_cli.py claude|codex|gemini|opencode [PROMPT]; without one the prompt comes on stdin.
What it does stands in the prompt: FAIL QUOTA LIMIT HICCUP LOCKED HANG CRASH ORPHAN BLOCK LONG EMOJI,
COMPLETE, or EDIT PATH.
"""

import json
import os
import re
import subprocess
import sys
import time


def say(**event: object) -> None:
    print(json.dumps(event), flush=True)


def speak(kind: str, text: str) -> None:
    if kind == "claude":
        say(type="assistant", message={"content": [{"type": "text", "text": text}]})
    elif kind == "codex":
        say(type="item.completed", item={"type": "agent_message", "text": text})
    elif kind == "gemini":
        say(type="message", role="assistant", content=text, delta=True)
    else:
        say(type="text", part={"text": text})


def finish(kind: str, text: str, error: str = "") -> int:
    if kind == "claude":
        say(type="result", subtype="success", is_error=bool(error), result=error or text, total_cost_usd=0.25,
            usage={"input_tokens": 100, "output_tokens": 20})  # fmt: skip
    elif kind == "codex":
        if error:
            say(type="turn.failed", error={"message": error})
        else:
            say(type="turn.completed", usage={"input_tokens": 100, "output_tokens": 20})
    elif kind == "gemini":
        say(type="result", status="error" if error else "success", stats={"total_tokens": 120},
            **({"error": {"type": "x", "message": error}} if error else {}))  # fmt: skip
    elif error:
        say(type="error", error={"name": "APIError", "data": {"message": error}})
    else:
        say(type="step_finish", part={"cost": 0.25, "tokens": {"input": 100, "output": 20}})
    return 1 if error else 0


def limit(kind: str) -> int:
    """claude at the limit of a subscription; another one says it beside its stream, and tries again in silence."""
    text = "You've hit your session limit \u00b7 resets 6:47pm (UTC)"
    if kind != "claude":
        print('level=ERROR message="stream error" error="You exceeded your current quota"', file=sys.stderr, flush=True)
        return 0
    say(type="assistant", error="rate_limit", message={"content": [{"type": "text", "text": text}]})
    say(type="result", subtype="success", is_error=True, api_error_status=429, result=text)
    return 1


def locked(kind: str) -> int:
    """Nobody is logged in."""
    if kind == "claude":
        say(type="assistant", error="authentication_failed", message={"content": []})
        say(type="result", subtype="success", is_error=True, result="Not logged in \u00b7 Please run /login")
    elif kind == "gemini":
        print("Please set an Auth method in your settings.json", file=sys.stderr, flush=True)
        return 41
    elif kind == "codex":
        finish(kind, "", "unexpected status 401 Unauthorized: Missing bearer authentication in header")
    else:
        say(type="error", error={"name": "APIError", "data": {"message": "invalid x-api-key", "statusCode": 401}})
    return 1


def hiccup(kind: str) -> None:
    if kind == "codex":
        say(type="error", message="Reconnecting... 1/5 (stream disconnected before completion)")
    elif kind == "gemini":
        say(type="error", severity="error", message="stream ended")
    elif kind == "claude":
        say(type="system", subtype="api_retry", attempt=1, error="unknown")
    else:
        say(type="error", error={"name": "UnknownError", "data": {"message": "socket closed"}})


def edit(path: str, task: str) -> None:
    """Marks its time at the path in a log beside the repository, and adds a line to the file."""
    log = os.environ["EDIT_LOG"]
    with open(log, "a") as out:
        out.write(json.dumps({"task": task, "path": path, "what": "begin", "at": time.monotonic()}) + "\n")
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "a") as out:
        out.write(f"{task}\n")
    time.sleep(float(os.environ.get("EDIT_S", "0.05")))
    with open(log, "a") as out:
        out.write(json.dumps({"task": task, "path": path, "what": "end", "at": time.monotonic()}) + "\n")


def main() -> int:
    kind = sys.argv[1]
    prompt = sys.argv[2] if len(sys.argv) > 2 else sys.stdin.read()
    say(type="system", subtype="init")
    speak(kind, "I begin.")
    if "QUOTA" in prompt:
        return finish(kind, "", "You have hit your usage limit. Try again later.")
    if "LIMIT" in prompt and (code := limit(kind)):
        return code
    if "LOCKED" in prompt:
        return locked(kind)
    if "HICCUP" in prompt:
        hiccup(kind)
    if "EMOJI" in prompt:
        for _ in range(60):
            print("\N{GRINNING FACE}\x01" * 400)
        return finish(kind, "", "\N{GRINNING FACE}\x01\ud83d" * 10_000)
    if "FAIL" in prompt:
        return finish(kind, "", "the tests do not pass")
    if "CRASH" in prompt:
        print("Traceback: something broke", file=sys.stderr, flush=True)
        return 3
    if "ORPHAN" in prompt:
        subprocess.Popen(["setsid", "sh", "-c", "trap '' TERM; sleep 2999"])
    if "BLOCK" in prompt:
        words = ["agent", "block", os.environ["KORTANA_TASK"], "--reason", "an answer is missing"]
        subprocess.run([sys.executable, "-m", "kortana", *words], check=True, stdout=subprocess.DEVNULL)
        speak(kind, "I asked.")
    if "HANG" in prompt:
        time.sleep(3000)
    for path in re.findall(r"EDIT (\S+)", prompt):
        edit(path, os.environ["KORTANA_TASK"])
    if "COMPLETE" in prompt:
        words = ["agent", "update", os.environ["KORTANA_TASK"], "completed"]
        done = subprocess.run([sys.executable, "-m", "kortana", *words], capture_output=True, text=True)
        speak(kind, f"I said so: {done.returncode}: {done.stderr}")
    last = "All done." if "LONG" not in prompt else "x" * 3_000_000 + " All done."
    speak(kind, last)
    return finish(kind, last)


if __name__ == "__main__":
    sys.exit(main())
