"""`python -m kortana` is the `kortana` command."""

import os
import sys

if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()] != [os.path.dirname(os.path.dirname(__file__))]:
    del sys.path[0]  # a project's modules are none of Kortana's

from kortana.cli.entry import main

if __name__ == "__main__":
    main()
