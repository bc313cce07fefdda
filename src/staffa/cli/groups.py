"""A group of commands that says where an option belongs which was given to the group."""

from __future__ import annotations

from collections.abc import Iterator

import click


class Commands(click.Group):
    """Commands, whose options follow their names."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments of the group itself."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name not in _options_of(self):
                raise
            raise click.UsageError(
                f"{error.option_name} is an option of the commands: write it after the command, as "
                f"in: {ctx.command_path} COMMAND {error.option_name} ...",
                ctx,
            ) from None


def _options_of(command: click.Command) -> Iterator[str]:
    """Yield the options of a command, and of all commands in it."""
    for parameter in command.params:
        yield from parameter.opts
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from _options_of(child)
