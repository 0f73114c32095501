"""What only POSIX has is in `processes/` and `transport/`, behind calls that another system can fill."""

import ast
from collections.abc import Iterator
from pathlib import Path

import kortana

ROOT = Path(kortana.__file__).parent
HOMES = ("processes", "transport")
MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "pty", "tty", "syslog", "posix"}
NAMES = {
    "os": {
        "killpg", "fork", "forkpty", "getuid", "geteuid", "getgid", "setsid", "setpgid", "register_at_fork", "uname",
        "nice", "pidfd_open", "eventfd", "eventfd_read", "wait", "wait3", "wait4", "waitid", "pread", "pwrite",
        "posix_spawn", "O_CLOEXEC", "O_NONBLOCK", "O_NOFOLLOW", "O_DIRECTORY", "mkfifo", "sysconf",
        "getloadavg", "fchown", "chown",
    },
    "signal": {
        "SIGHUP", "SIGKILL", "SIGCHLD", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGSTOP", "SIGCONT", "alarm", "setitimer",
        "pthread_sigmask", "sigwait", "pidfd_send_signal",
    },
    "socket": {"AF_UNIX", "SO_PEERCRED", "socketpair", "SCM_RIGHTS"},
    "_socket": {"AF_UNIX"},
    "select": {"poll", "epoll"},
}  # fmt: skip
KEYWORDS = {"start_new_session", "pass_fds", "preexec_fn", "process_group"}
PLACES = ("/proc", "/bin/", "/sys/", "/dev/")


def _uses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name) if name in NAMES.get(module, ()):
                yield node.lineno, f"{module}.{name}"
            case ast.Import(names=names):
                yield from ((node.lineno, name.name) for name in names if name.name in MODULES)
            case ast.ImportFrom(module=module) if module in MODULES:
                yield node.lineno, str(module)
            case ast.keyword(arg=name) if name in KEYWORDS:
                yield node.value.lineno, f"{name}="
            case ast.Constant(value=str(text)) if id(node) not in prose and text.startswith(PLACES):
                yield node.lineno, repr(text)


def test_it_finds_what_it_looks_for() -> None:
    text = "import fcntl, os, signal\nos.killpg(1, signal.SIGKILL)\nopen('/proc/1', **dict(pass_fds=3))\n'''/proc'''\n"
    found = [what for _, what in _uses(ast.parse(text))]
    assert sorted(found) == ["'/proc/1'", "fcntl", "os.killpg", "pass_fds=", "signal.SIGKILL"]


def test_what_only_posix_has_is_at_home() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in sorted(ROOT.rglob("*.py"))
        if path.relative_to(ROOT).parts[0] not in HOMES
        for line, what in _uses(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []
