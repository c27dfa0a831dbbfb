"""Groups of commands that say which one was probably meant, with every click."""

from __future__ import annotations

import click

from tracebridge.errors import did_you_mean


class Group(click.Group):
    """A group of commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that was typed. Fails with the nearest one where there is none."""
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f'no such command "{args[0]}"{did_you_mean(args[0], known)}')
        return super().resolve_command(ctx, args)
