"""A person's own file, which Kortana adds a little to."""

import os


def read_personal(path: str) -> str | None:
    """Its text with its own line ends; None where there is none. Raises OSError, ValueError where it is no UTF-8."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None


def replace_personal(path: str, text: str | None, executable: bool = False) -> None:
    """All of it, or nothing; None removes it. A link to it stays one, its permissions stay. Raises OSError."""
    if text is None:
        os.unlink(path)
        return
    path = os.path.realpath(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o644
    temp = f"{path}.kortana"
    try:
        with open(temp, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temp, mode | 0o111 if executable else mode)
        os.replace(temp, path)
    except OSError:
        if os.path.exists(temp):
            os.unlink(temp)
        raise
