"""`staffa completion`: what a shell runs so that Tab completes commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_STAFFA_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes Tab complete in a shell.

    Put it where your shell looks for completions, or run it from the shell's own start-up file:
    eval "$(staffa completion bash)"

    Example: staffa completion fish > ~/.config/fish/completions/staffa.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101  # the choices are those that click knows
    program = context.find_root().command
    click.echo(kind(program, {}, "staffa", _VARIABLE).source())
