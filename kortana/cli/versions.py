"""Whether the Kortana that runs is the one that is called: the command may have been upgraded meanwhile."""

import sys
from typing import Any

from kortana import __version__


def tell_if_other(running: Any) -> None:
    """running: what it says of itself, None where it is too old for that. Tells it on stderr: answers may lack what
    this version asks for."""
    if running != __version__:
        which = f"version {running}" if running else "an older version"
        what = "`kortana down` and `kortana up -d` bring this one up"
        print(f"kortana: {which} runs here, and this is {__version__}; {what}", file=sys.stderr)
