"""`python -m kortana` is the `kortana` command."""

import os
import sys


def _forget_project() -> None:
    """`python -m` looks for modules first where it is called: a project's own are none of Kortana's."""
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()] and sys.path[0] != ours:
        del sys.path[0]


_forget_project()

from kortana.cli.entry import main  # noqa: E402

if __name__ == "__main__":
    main()
