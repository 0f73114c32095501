"""`kortana completion`: the script that a shell reads."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script, e.g. `eval "$(kortana completion bash)"`."""
    from kortana.cli.app import app

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(app, {}, "kortana", "_KORTANA_COMPLETE").source())


COMMANDS = {"completion": completion}
