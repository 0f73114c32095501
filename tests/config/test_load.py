"""kortana.yaml as values, and everything that is wrong with it, by line and column."""

from pathlib import Path

import pytest

from kortana.config.interpolate import interpolate
from kortana.config.load import load_config
from kortana.config.nodes import ConfigError
from kortana.config.spec import Config
from kortana.config.units import bytes_of, seconds_of


def load(folder: Path, text: str, **environment: str) -> Config:
    path = folder / "kortana.yaml"
    path.write_text(text)
    return load_config(path, environment)


def problems(folder: Path, text: str, **environment: str) -> list[tuple[int, int, str]]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, **environment)
    return [(p.line, p.column, str(p)) for p in caught.value.problems]


def test_defaults_fill_what_is_not_said(tmp_path: Path) -> None:
    config = load(tmp_path, "version: 1\nworkers:\n  a: {command: [ls]}\n")
    assert config.coordinator.lease_ttl == 120.0
    assert config.workers[0].restart == "permanent"
    assert config.project == tmp_path.name


def test_a_profile_among_the_defaults_is_that_of_whoever_has_none(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text("env: {A: all, B: all}\n")
    (tmp_path / "own.yaml").write_text("env: {A: own}\n")
    text = """version: 1
defaults: {profile: all.yaml, env: {A: default, C: default}}
workers:
  a: {command: [ls]}
  b: {command: [ls], profile: own.yaml}
"""
    a, b = load(tmp_path, text).workers
    assert a.env == {"A": "all", "B": "all", "C": "default"} and b.env == {"A": "own", "C": "default"}


def test_a_profile_names_no_other(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text("env: {A: all}\nprofile: own.yaml\n")
    told = problems(tmp_path, "version: 1\nworkers:\n  a: {command: [ls], profile: all.yaml}\n")
    assert [(line, column) for line, column, _ in told] == [(2, 1)]
    assert told[0][2].endswith("a profile cannot name another one")


def test_defaults_profile_and_worker_merge_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "profile.yaml").write_text("env: {B: profile, C: profile}\nbackoff: {initial: 2s}\n")
    text = """version: 1
defaults: {env: {A: default, B: default}, backoff: {max: 9s}, restart: transient}
workers:
  a: {command: [ls], profile: profile.yaml, env: {C: own}}
"""
    worker = load(tmp_path, text).workers[0]
    assert {k: worker.env[k] for k in "ABC"} == {"A": "default", "B": "profile", "C": "own"}
    assert (worker.backoff.initial, worker.backoff.max, worker.restart) == (2.0, 9.0, "transient")


def test_variables_come_from_the_environment(tmp_path: Path) -> None:
    text = "version: 1\nproject: ${NAME:-none}\nworkers: {a: {command: ['${TOOL:?name a tool}', '$$5']}}\n"
    config = load(tmp_path, text, NAME="team", TOOL="make")
    assert config.project == "team" and config.workers[0].command == ("make", "$5")
    assert "name a tool" in problems(tmp_path, text)[0][2]


def test_replicas_have_names_of_their_own(tmp_path: Path) -> None:
    text = "version: 1\nworkers:\n  a: {command: [ls], replicas: 3}\n"
    assert load(tmp_path, text).workers[0].replica_names() == ["a-1", "a-2", "a-3"]


def test_what_must_agree_is_told_beside_what_is_wrong_by_itself(tmp_path: Path) -> None:
    text = """version: 1
workers:
  a:
    command: [ls]
    replicas: none
    start_after: {b: ready, zzz: started}
    backoff: {initial: 30s, max: 10s}
  b:
    command: [ls]
    start_after: {a: started}
    ready: {type: log, pattern: "("}
    cli: {merge: true}
    agent: shel
  c: {command: [ls], intensity: many, period: 1s, backoff: {initial: 30s}}
tasks:
  - {id: t, depends_on: [u, nobody], priority: high}
  - {id: u, depends_on: [t]}
"""
    found = [(line, column, text.split(": ", 1)[1]) for line, column, text in problems(tmp_path, text)]
    assert [(line, column, what.partition(":")[0]) for line, column, what in found] == [
        (5, 15, "workers.a.replicas"),
        (6, 19, "workers.a.start_after"),
        (6, 29, "workers.a.start_after.zzz"),
        (7, 14, "workers.a.backoff"),
        (9, 5, "workers.b"),
        (11, 33, "workers.b.ready.pattern"),
        (12, 10, "workers.b.cli"),
        (13, 12, "workers.b.agent"),
        (14, 33, "workers.c.intensity"),
        (16, 26, "tasks.t.depends_on"),
        (16, 29, "tasks.t.depends_on"),
        (16, 48, "tasks[0].priority"),
    ]


@pytest.mark.parametrize("value", ["{A: ${X}, B: x}", "[a, ${X}]"])
def test_a_variable_that_needs_quotes_is_told_so(tmp_path: Path, value: str) -> None:
    told = problems(tmp_path, f"version: 1\nworkers:\n  a: {{command: ls, env: {value}}}\n")[0][2]
    assert told.endswith('needs quotes: "${...}")')


def test_every_problem_is_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """version: 1
coordinator:
  lease_ttl: soon
workers:
  a:
    comand: [ls]
  'b c': {command: [ls]}
  d: {command: [ls], restart: sometimes}
tasks:
  - {id: t, depends_on: [nothing]}
  - {id: t}
"""
    found = problems(tmp_path, text)
    assert [line for line, _, _ in found] == sorted(line for line, _, _ in found)
    told = "\n".join(text for _, _, text in found)
    for word in ("soon", "comand", "b c", "sometimes", "nothing"):
        assert word in told
    assert "command" in told, "the key that was meant is named"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("version: 1\nworkers:\n  a: {command: [ls], stop: {signal: SIGFOO}}\n", 3, 37),
        ("version: 2\n", 1, 10),
        ("version: 1\ntasks:\n  - {id: a, priority: high}\n", 3, 23),
        ("version: 1\njournal: {rotate_size: big}\n", 2, 24),
    ],
)  # fmt: skip
def test_a_problem_points_at_its_value(tmp_path: Path, text: str, line: int, column: int) -> None:
    assert problems(tmp_path, text)[0][:2] == (line, column)


@pytest.mark.parametrize(
    ("task", "what"),
    [
        ("paths: [src, '']", "at most 256 patterns of 1 to 1024 characters"),
        (f"paths: [{'x' * 1025}]", "at most 256 patterns of 1 to 1024 characters"),
        ("lease_ttl: 2h", "more than 0, at most 3600 (coordinator.max_lease_ttl)"),
        (f"depends_on: {[f't{n}' for n in range(257)]}", "at most 256 names"),
    ],
)
def test_what_the_coordinator_would_refuse_of_a_task_is_refused_at_its_value(
    tmp_path: Path, task: str, what: str
) -> None:
    before, key = "  - {id: a, ", task.partition(":")[0]
    found = problems(tmp_path, f"version: 1\ntasks:\n{before}{task}}}\n")
    place = 3, len(f"{before}{key}: ") + 1
    assert [at for *at, text in found if f"tasks.a.{key}: {what}" in text] == [list(place)]


def test_a_longer_lease_is_allowed_where_the_coordinator_allows_it(tmp_path: Path) -> None:
    text = "version: 1\ncoordinator: {max_lease_ttl: 2h}\ntasks:\n  - {id: a, lease_ttl: 2h}\n"
    (tmp_path / "kortana.yaml").write_text(text)
    assert load_config(tmp_path / "kortana.yaml", {}).tasks[0].lease_ttl == 7200


def test_a_tag_that_makes_objects_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, "version: 1\nproject: !!python/object/apply:os.system ['true']\n")


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("30s", 30), ("2m", 120), ("1h", 3600), (7, 7), ("1.5s", 1.5)]
)
def test_durations(text: object, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["-1s", "soon", "", True, "9999h", "1 day"])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        seconds_of(text)


def test_sizes() -> None:
    assert [bytes_of(v) for v in ("10MiB", "2GiB", "1.5KiB", 7, "3B")] == [10 << 20, 2 << 30, 1536, 7, 3]
    for bad in ("10MB", "-1", "much"):
        with pytest.raises(ValueError, match="size"):
            bytes_of(bad)


@pytest.mark.parametrize(
    ("worker", "key"),
    [
        ('command: ["echo", "a\\0b"]', "command[1]"), ('command: ["echo", "\\ud800"]', "command[1]"),
        ('command: [ls], env: {"A=B": x}', "env.A=B"), ('command: [ls], env: {"": x}', "env."),
        ('command: [ls], env: {A: "a\\0b"}', "env.A"), ('command: [ls], env: {A: "\\ud800"}', "env.A"),
    ],
)  # fmt: skip
def test_what_no_process_can_be_given_is_refused(tmp_path: Path, worker: str, key: str) -> None:
    found = problems(tmp_path, f"version: 1\nworkers: {{w: {{{worker}}}}}\n")
    assert any(f"workers.w.{key}: " in text for *_, text in found), found


@pytest.mark.parametrize(("content", "where"), [
    ("version: 1\nworkers: {w: {command: [a]}}\n".encode("utf-16"), "1:1: byte 0xff"),
    (b"version: 1\nworkers:\n  w: {command: [gr\xfc]}\n", "3:19: byte 0xfc"),
])  # fmt: skip
def test_a_file_in_another_encoding_is_told_where(tmp_path: Path, content: bytes, where: str) -> None:
    path = tmp_path / "kortana.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"kortana.yaml:{where} is no UTF-8: save the file in that encoding"):
        load_config(path)


def test_a_variable_that_is_no_utf8_may_go_into_the_environment_and_nowhere_else(tmp_path: Path) -> None:
    path = tmp_path / "kortana.yaml"
    path.write_text("version: 1\nworkers: {w: {command: [ls], env: {A: '${ODD}'}}}\n")
    assert load_config(path, {"ODD": "\udcff"}).workers[0].env == {"A": "\udcff"}
    path.write_text("version: 1\nworkers: {w: {command: [ls, '${ODD}']}}\n")
    with pytest.raises(ConfigError, match=r"command\[1\]"):
        load_config(path, {"ODD": "\udcff"})


@pytest.mark.parametrize("name", ["all", "operator", "supervisor", "coordinator", "kortana"])
def test_names_that_are_somebody_elses_are_reserved(tmp_path: Path, name: str) -> None:
    """`kortana` in `logs` is the supervisor's own log."""
    found = problems(tmp_path, f"version: 1\nworkers:\n  {name}: {{command: [ls]}}\n")
    assert (found[0][0], f"{name} is reserved" in found[0][2]) == (3, True)


def test_what_workers_share_is_wrong_once(tmp_path: Path) -> None:
    text = """\
version: 1
defaults: {intensity: many}
workers:
  a: {command: [x], profile: shared.yaml}
  b: {command: [x], profile: shared.yaml}
  c: {command: [x], profile: shared.yaml, quota_delay: never}
"""
    (tmp_path / "shared.yaml").write_text("cwd: 3\n")
    found = problems(tmp_path, text)
    assert [line for line, _, _ in found] == [2, 6, 1], "the defaults, c, and the profile"
    assert ": defaults.intensity: " in found[0][2] and "more" not in found[0][2]
    assert "shared.yaml:1:6: workers.a.cwd: " in found[2][2] and found[2][2].endswith(" (and for 2 more)")


@pytest.mark.timeout(30)
def test_references_without_an_end_are_plain_text_however_many() -> None:
    many = "${" * 500_000
    assert interpolate(f"${{A}}$${many}$$", {"A": "a"}) == f"a${many}$"


def test_what_is_all_commented_out_is_as_if_it_was_not_there(tmp_path: Path) -> None:
    plain = load(tmp_path, "version: 1\nworkers: {a: {command: x}}\n")
    keys = ["env", "start_after", "capabilities", "success_exit_codes", "backoff"]
    text = "version: 1\ncoordinator:\ntasks:\nworkers:\n  a:\n    command: x\n"
    assert load(tmp_path, text + "".join(f"    {key}:\n" for key in keys)) == plain


def test_nothing_where_one_value_is_needed_is_told_once(tmp_path: Path) -> None:
    found = problems(tmp_path, "version: 1\nworkers: {a: {command: x, profile: }}\ntasks: [{id: t, run: }]\n")
    assert [where for _, _, text in found for where in ("a.profile", "tasks[0].run") if where in text] == [
        "a.profile", "tasks[0].run",
    ]  # fmt: skip
    assert len(found) == 2
