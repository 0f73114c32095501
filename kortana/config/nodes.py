"""YAML with its places: nodes that know file, line and column, and problems that name them."""

import io
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
import yaml

from kortana.config.interpolate import interpolate

MAX_FILE_BYTES = 4 << 20
MAX_NODES = 200_000


class Problem(msgspec.Struct, frozen=True, order=True):
    """One thing wrong in one place."""

    file: str
    line: int
    column: int
    path: str
    what: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: "
        return place + (f"{self.path}: " if self.path else "") + self.what


class ConfigError(Exception):
    """All that is wrong with a configuration."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = _once_a_place(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def _once_a_place(problems: list[Problem]) -> list[Problem]:
    """What several workers share (`defaults`, a profile, an anchor) is wrong once, and named as the first of them has
    it."""
    found: dict[tuple[str, int, int, str, str], list[Problem]] = {}
    for problem in problems:
        place = problem.file, problem.line, problem.column, problem.path.rpartition(".")[2], problem.what
        found.setdefault(place, []).append(problem)
    return [
        first if not others or first.path.startswith("defaults")
        else msgspec.structs.replace(first, what=f"{first.what} (and for {len(others)} more)")
        for first, *others in found.values()
    ]  # fmt: skip


class Reader:
    """Reads scalars from nodes, and gathers problems instead of raising them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.problems: list[Problem] = []
        self._loader = yaml.SafeLoader("")
        self._visited = 0

    def problem(self, node: yaml.Node, path: str, what: str) -> None:
        mark = node.start_mark
        self.problems.append(Problem(mark.name, mark.line + 1, mark.column + 1, path, what))

    def visit(self, node: yaml.Node, path: str) -> bool:
        """False, once, where aliases have blown the document up."""
        self._visited += 1
        if self._visited == MAX_NODES:
            self.problem(node, path, f"more than {MAX_NODES} values: are there nested aliases?")
        return self._visited < MAX_NODES

    def scalar(self, node: yaml.ScalarNode, path: str) -> object:
        """The Python value of a scalar, interpolated where it is a string; None after a problem."""
        tag = node.tag
        if tag == "tag:yaml.org,2002:str":
            try:
                text = interpolate(node.value, self.environment)
            except ValueError as error:
                self.problem(node, path, str(error))
                return None
            if not node.style and text != node.value and text:
                tag = self._loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
                return self._construct(yaml.ScalarNode(tag, text, node.start_mark, node.end_mark), path)
            return text
        if tag == "tag:yaml.org,2002:timestamp":
            return node.value
        return self._construct(node, path)

    def _construct(self, node: yaml.Node, path: str) -> object:
        try:
            return self._loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError) as error:
            self.problem(node, path, getattr(error, "problem", None) or str(error))
        except LookupError:  # as PyYAML does with `!!bool maybe` and `!!int ""`
            self.problem(node, path, f"{node.value!r} is no {node.tag.rpartition(':')[2]}")
        return None

    def pairs(self, node: yaml.MappingNode, path: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Key → (key node, value node) of a mapping, `<<` merged in; duplicate keys are problems."""
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        own: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.value in own:
                self.problem(key, f"{path}.{key.value}".lstrip("."), "this key stands twice")
            own.add(key.value)
        try:
            self._loader.flatten_mapping(node)
        except yaml.YAMLError as error:
            self.problem(node, path, getattr(error, "problem", None) or str(error))
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.problem(key, path, "a key must be plain text")
                continue
            found[str(key.value)] = (key, value)
        return found


def is_null(node: yaml.Node) -> bool:
    """Whether nothing stands there, as after a key whose entries are all commented out."""
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _opens_variable(mark: yaml.Mark) -> bool:
    """Whether the brace that YAML stumbled over is that of a `${`."""
    return mark.buffer is not None and mark.buffer[max(mark.pointer - 1, 0) : mark.pointer + 1] == "${"


class _Named(io.StringIO):
    """A text whose nodes name the file that it is from."""

    name = ""


def _root(text: str, shown: str) -> yaml.Node | None:
    """By libyaml where PyYAML has it, which takes a fifth of the time. What that refuses is read by PyYAML itself, for
    its words and its places; so is what has tabs in it, which libyaml lets stand where YAML has none."""
    quick = getattr(yaml, "CSafeLoader", None)
    if quick is not None and "\t" not in text:
        source = _Named(text)
        source.name = shown
        with suppress(yaml.YAMLError):
            root: yaml.Node | None = quick(source).get_single_node()
            return root
    loader = yaml.SafeLoader(text)
    loader.name = shown
    return loader.get_single_node()


def compose_file(path: Path, shown: str, reader: Reader) -> yaml.Node | None:
    """The root node of a file; None after a problem, or where the file is empty."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise OSError(f"larger than {MAX_FILE_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
        return _root(text, shown)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = ", ".join(part for part in (error.context, error.problem) if part)
        if "'\\t'" in what:
            what = "a tab; YAML indents with spaces"
        elif mark is not None and "flow" in what and _opens_variable(mark):
            what += ' (within {...} or [...] a value with ${...} needs quotes: "${...}")'
        reader.problems.append(Problem(shown, line, column, "", what))
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        what = f"byte {error.object[error.start]:#04x} is no UTF-8: save the file in that encoding"
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        reader.problems.append(Problem(shown, line, column, "", what))
    except (OSError, yaml.YAMLError, RecursionError) as error:
        what = getattr(error, "strerror", None) or str(error) or type(error).__name__
        reader.problems.append(Problem(shown, 1, 1, "", what))
    return None
