"""`python -m kortana` is the `kortana` command."""

from kortana.cli.entry import main

if __name__ == "__main__":
    main()
