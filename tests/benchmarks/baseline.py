"""What stands beside our figures in the same run: the disk alone, Python alone, and two bare group-commit log servers.

They decide nothing: they take lines, append whatever came in at once, sync, and answer each line. One is a tight loop
that does not look into the lines; the other is what one writes with asyncio, reads each line as JSON, and syncs in a
thread. The reference figures that we were given for such a server, 4,400 and 54,000 cycles/s, are near the second's.
"""

import asyncio
import json
import multiprocessing
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.common import figure, spread

LINE = json.dumps({"pad": "x" * 250}).encode() + b"\n"


def fsync_loop(seconds: float = 2.0) -> None:
    """Append 500 bytes, fdatasync, again."""
    with tempfile.NamedTemporaryFile(dir=os.environ.get("BENCH_DIR")) as file:
        samples, deadline = [], time.perf_counter() + seconds
        while (began := time.perf_counter()) < deadline:
            os.write(file.fileno(), LINE * 2)
            os.fdatasync(file.fileno())
            samples.append((time.perf_counter() - began) * 1000)
    figure("baseline append+fdatasync", per_s=round(len(samples) / seconds), ms=spread(samples))


def python_start(rounds: int = 40) -> float:
    """`python -c pass` as a whole process; gives its median in ms."""
    samples = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        samples.append((time.perf_counter() - began) * 1000)
    found = spread(samples)
    figure("baseline python -c pass", ms=found)
    return float(found["median"])


def _serve(path: str, log: str) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    rests: dict[socket.socket, bytes] = {}
    while True:
        lines: list[bytes] = []
        answers: list[tuple[socket.socket, int]] = []
        for key, _ in selector.select():
            sock: Any = key.fileobj
            if sock is listener:
                client, _address = listener.accept()
                selector.register(client, selectors.EVENT_READ)
                rests[client] = b""
                continue
            data = sock.recv(1 << 16)
            if not data:
                selector.unregister(sock)
                continue
            found = (rests[sock] + data).split(b"\n")
            rests[sock] = found.pop()
            lines += found
            answers.append((sock, len(found)))
        if lines:
            os.write(fd, b"\n".join(lines) + b"\n")
            os.fdatasync(fd)
            for sock, count in answers:
                sock.sendall(b'{"ok":1}\n' * count)


def _serve_by_asyncio(path: str, log: str) -> None:
    async def main() -> None:
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        pending: list[tuple[bytes, asyncio.StreamWriter]] = []
        more = asyncio.Event()

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                json.loads(line)
                pending.append((line, writer))
                more.set()

        async with await asyncio.start_unix_server(take, path):
            while True:
                await more.wait()
                more.clear()
                group, pending[:] = pending[:], []
                os.write(fd, b"".join(line for line, _ in group))
                await asyncio.get_running_loop().run_in_executor(None, os.fdatasync, fd)
                for _, writer in group:
                    writer.write(b'{"ok":1}\n')

    asyncio.run(main())


SERVERS: dict[str, Callable[[str, str], None]] = {"bare server": _serve, "bare server by asyncio": _serve_by_asyncio}


def _client(path: str, in_flight: int, seconds: float, result: Any) -> None:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    groups = 4 if in_flight > 1 else 1
    size = in_flight // groups
    flying: deque[int] = deque()
    reader = sock.makefile("rb")
    began = time.perf_counter()
    cycles = 0
    for _ in range(groups):
        sock.sendall(LINE * size)
        flying.append(0)
    while flying:
        phase = flying.popleft()
        for _ in range(size):
            reader.readline()
        cycles += size * phase
        if phase == 0 or time.perf_counter() - began < seconds:
            sock.sendall(LINE * size)
            flying.append(1 - phase)
    result.put(cycles / (time.perf_counter() - began))


def bare_server(kind: str, clients: int, in_flight: int, seconds: float = 4.0) -> float:
    """Cycles (two durable lines each) per second of one of SERVERS."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        path = str(Path(folder) / "s")
        server = context.Process(target=SERVERS[kind], args=(path, str(Path(folder) / "log")), daemon=True)
        server.start()
        while not Path(path).exists():
            time.sleep(0.01)
        time.sleep(0.1)
        results: Any = context.Queue()
        load = [context.Process(target=_client, args=(path, in_flight, seconds, results)) for _ in range(clients)]
        for process in load:
            process.start()
        rate = sum(results.get(timeout=120) for _ in load)
        for process in load:
            process.join()
        server.kill()
    figure(f"baseline {kind} {clients}x{in_flight}", cycles_per_s=round(rate))
    return float(rate)


def run() -> None:
    fsync_loop()
    python_start()
    for kind in SERVERS:
        bare_server(kind, 16, 1)
        bare_server(kind, 4, 64)


if __name__ == "__main__":
    run()
