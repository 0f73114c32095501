"""Reads kortana.yaml and what it names, and gives the effective configuration or everything that is wrong."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from kortana.config import schema
from kortana.config.check import check_tasks, check_worker, check_workers
from kortana.config.kinds import Fields
from kortana.config.nodes import ConfigError, Problem, Reader, compose_file, is_null
from kortana.config.scalars import BAD
from kortana.config.spec import Config, CoordinatorSpec, TaskSpec, WorkerSpec
from kortana.config.whereabouts import why_no_file

Pairs = dict[str, tuple[yaml.Node, yaml.Node]]


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration in `path`. Raises ConfigError with every problem at once."""
    _check_name(path.resolve())
    reader = Reader(os.environ if environment is None else environment)
    root = compose_file(path, _shown(path), reader)
    if root is None and not reader.problems:
        reader.problems.append(Problem(_shown(path), 1, 1, "", "the file is empty; `kortana init` writes an example"))
    if not isinstance(root, yaml.MappingNode):
        if root is not None:
            reader.problem(root, "", "a mapping is needed at the top")
        raise ConfigError(reader.problems)
    config = _Loader(path.resolve(), reader).load(root)
    if reader.problems:
        raise ConfigError(reader.problems)
    return config


def _check_name(path: Path) -> None:
    """Every file of Kortana's names the project's folder, and all of them are UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        what = "the name of its folder is no UTF-8; rename the folder"
        raise ConfigError([Problem(shown, 1, 1, "", what)]) from None


def _shown(path: Path) -> str:
    """How problems name a file: relative to the working directory where it lies below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _merge(low: Pairs, high: Pairs, reader: Reader) -> Pairs:
    """The pairs of two mappings, the higher over the lower; mappings below merge key by key."""
    merged = dict(low)
    for key, (key_node, value) in high.items():
        below = low.get(key)
        if below and isinstance(below[1], yaml.MappingNode) and isinstance(value, yaml.MappingNode):
            inner = _merge(reader.pairs(below[1], key), reader.pairs(value, key), reader)
            nodes = [(k, v) for k, v in inner.values()]
            value = yaml.MappingNode(value.tag, nodes, value.start_mark, value.end_mark)
        merged[key] = (key_node, value)
    return merged


_RUNS = ("command", "entrypoint", "agent")


class _Loader:
    def __init__(self, path: Path, reader: Reader) -> None:
        self._path, self._folder, self._reader = path, path.parent, reader

    def load(self, root: yaml.MappingNode) -> Config:
        pairs = self._reader.pairs(root, "")
        workers_pair = pairs.pop("workers", None)
        defaults = pairs.get("defaults")
        top = schema.TOP.read_pairs(self._reader, root, pairs, "")
        workers = self._workers(workers_pair[1], self._pairs_of(defaults)) if workers_pair else []
        nodes = self._nodes_by_name(workers_pair)
        check_workers(self._reader, workers, nodes)
        items = pairs["tasks"][1].value if top.get("tasks") else []
        placed = [(task, item) for task, item in zip(top.pop("tasks", ()), items, strict=True) if "id" in task]
        tasks = [msgspec.convert(task, TaskSpec) for task, _ in placed]
        longest = top.get("coordinator", {}).get("max_lease_ttl", CoordinatorSpec().max_lease_ttl)
        check_tasks(self._reader, tasks, [item for _, item in placed], longest)
        top.pop("defaults", None)
        top.pop("version", None)
        folder_name = re.sub(r"[^A-Za-z0-9._-]+", "-", self._folder.name).strip("-._")[:64] or "kortana"
        config = msgspec.convert(
            {
                **top,
                "path": str(self._path),
                "project": top.get("project", folder_name),
                "data_dir": str((self._folder / os.path.expanduser(top.get("data_dir", "data"))).resolve()),
            },
            Config,
        )
        self._check_top(config, pairs)
        return msgspec.structs.replace(config, workers=tuple(workers), tasks=tuple(tasks))

    def _check_top(self, config: Config, pairs: Pairs) -> None:
        if config.coordinator.lease_ttl > config.coordinator.max_lease_ttl:
            where = pairs["coordinator"][1]
            self._reader.problem(where, "coordinator.lease_ttl", "longer than max_lease_ttl")

    def _pairs_of(self, pair: tuple[yaml.Node, yaml.Node] | None) -> Pairs:
        if pair is None or not isinstance(pair[1], yaml.MappingNode):
            return {}
        return self._reader.pairs(pair[1], "defaults")

    def _nodes_by_name(self, pair: tuple[yaml.Node, yaml.Node] | None) -> dict[str, yaml.Node]:
        if pair is None or not isinstance(pair[1], yaml.MappingNode):
            return {}
        return {key.value: value for key, value in pair[1].value if isinstance(key, yaml.ScalarNode)}

    def _workers(self, node: yaml.Node, defaults: Pairs) -> list[WorkerSpec]:
        if is_null(node):
            return []
        if not isinstance(node, yaml.MappingNode):
            self._reader.problem(node, "workers", "a mapping from names to workers is needed")
            return []
        found = []
        for name, (key, value) in self._reader.pairs(node, "workers").items():
            path = f"workers.{name}"
            if schema.WORKER_NAME.read(self._reader, key, path) is BAD:
                continue
            worker = self._worker(name, value, defaults, path)
            if worker is not None:
                found.append(worker)
        return found

    def _worker(self, name: str, node: yaml.Node, defaults: Pairs, path: str) -> WorkerSpec | None:
        """What is right of it, so that it is compared with others all the same; None where nothing is."""
        reader = self._reader
        if not isinstance(node, yaml.MappingNode):
            reader.problem(node, path, "a mapping is needed")
            return None
        own = reader.pairs(node, path)
        profile = self._profile(own.get("profile") or defaults.get("profile"), path)
        lower = _merge(defaults, profile, reader)
        if any(key in own for key in _RUNS):
            lower = {key: pair for key, pair in lower.items() if key not in _RUNS}
        pairs = _merge(lower, own, reader)
        before = len(reader.problems)
        values = Fields.read_pairs(schema.WORKER, reader, node, pairs, path)
        runs = [key for key in _RUNS if key in pairs]
        if len(runs) != 1:
            what = "exactly one of command, entrypoint and agent says what runs; here " + (
                " and ".join(runs) or "none does"
            )
            reader.problem(node, path, what)
        wrong = {problem.path.removeprefix(path + ".").partition(".")[0] for problem in reader.problems[before:]}
        values.pop("profile", None)
        worker: WorkerSpec = msgspec.convert(self._absolute({**values, "name": name}), WorkerSpec)
        check_worker(reader, worker, pairs, node, path, wrong if len(runs) == 1 else {*wrong, *_RUNS})
        return worker

    def _absolute(self, values: dict[str, Any]) -> dict[str, Any]:
        for key in ("cwd", "env_file"):
            if key in values or key == "cwd":
                values[key] = str((self._folder / os.path.expanduser(values.get(key, "."))).resolve())
        cli = values.get("cli")
        if cli and "template" in cli:
            cli["template"] = str((self._folder / os.path.expanduser(cli["template"])).resolve())
        return values

    def _profile(self, pair: tuple[yaml.Node, yaml.Node] | None, path: str) -> Pairs:
        if pair is None or not isinstance(pair[1], yaml.ScalarNode) or is_null(pair[1]):
            return {}
        value = self._reader.scalar(pair[1], f"{path}.profile")
        target = self._folder / str(value)
        if missing := why_no_file(target, value):
            self._reader.problem(pair[1], f"{path}.profile", missing)
            return {}
        root = compose_file(target, _shown(target), self._reader)
        if root is None:
            return {}
        if not isinstance(root, yaml.MappingNode):
            self._reader.problem(root, f"{path}.profile", "a mapping is needed in the profile")
            return {}
        pairs = self._reader.pairs(root, f"{path}.profile")
        if "profile" in pairs:
            self._reader.problem(pairs["profile"][0], f"{path}.profile.profile", "a profile cannot name another one")
        return pairs
