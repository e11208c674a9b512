"""``dezero maximize``: as `minimize`, the other way up."""

from __future__ import annotations

from dezero_cli.commands.minimize import command_of

command = command_of("maximize", "greatest", "'x*y*exp(-x - y)'", "--st 'x**2 + y**2 <= 25'")
