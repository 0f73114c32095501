"""Renders a task graph as text or as SVG: `render_graph.py text|svg PATH/task_graph.json`."""

import json
import sys
from pathlib import Path

COLOURS = {"completed": "#9fd89f", "in_progress": "#9fc5e8", "blocked": "#f6b26b", "failed": "#e06666"}


def depth_of(name: str, tasks: dict, known: dict) -> int:
    if name not in known:
        known[name] = 1 + max((depth_of(n, tasks, known) for n in tasks[name]["depends_on"] if n in tasks), default=-1)
    return known[name]


def as_text(tasks: dict) -> str:
    depths: dict = {}
    names = sorted(tasks, key=lambda name: (depth_of(name, tasks, depths), name))
    return "\n".join("  " * depths[n] + f"{n}: {tasks[n]['status']}" for n in names)


def as_svg(tasks: dict) -> str:
    depths: dict = {}
    columns: dict = {}
    for name in tasks:
        columns.setdefault(depth_of(name, tasks, depths), []).append(name)
    place = {n: (20 + 190 * d, 20 + 50 * i) for d, names in columns.items() for i, n in enumerate(names)}
    parts = []
    for name, task in tasks.items():
        x, y = place[name]
        for needed in task["depends_on"]:
            fx, fy = place[needed]
            parts.append(f'<path d="M{fx + 160} {fy + 17} L{x} {y + 17}" stroke="#888" fill="none"/>')
        fill = COLOURS.get(task["status"], "#eeeeee")
        parts.append(f'<rect x="{x}" y="{y}" width="160" height="34" rx="6" fill="{fill}" stroke="#555"/>')
        parts.append(f'<text x="{x + 8}" y="{y + 21}" font-family="sans-serif" font-size="12">{name}</text>')
    width = 200 + 190 * max(columns, default=0)
    height = 60 + 50 * max(map(len, columns.values()), default=1)
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">{"".join(parts)}</svg>'


def main() -> None:
    form, path = sys.argv[1:]
    tasks = json.loads(Path(path).read_text())["tasks"]
    print(as_svg(tasks) if form == "svg" else as_text(tasks))


main()
