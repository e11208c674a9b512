"""The click group, and the one place where faults become messages and exit statuses."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import signal
import sys
from collections.abc import Sequence

import click

from dezero_cli import report
from dezero_cli.arguments import LONG_OPTION
from dezero_cli.faults import CommandError, nearest

COMMANDS = (
    *("eval", "batch", "map", "fit", "solve", "minimize", "maximize"),
    *("derive", "check", "graph", "plot", "functions"),
    *("schema", "completion"),
)
"""The commands, in the order of the help; each is a module of `dezero_cli.commands`."""

HELP = """Evaluate expressions and differentiate them, exactly, from the shell.

\b
  dezero 'a*b+c' a=3 b=2 c=1              the same as dezero eval 'a*b+c' ...
  dezero eval 'sin(x)/x' x=0.5 --json

'dezero help COMMAND' shows the help of a command.
"""


COLOR = click.Option(
    ["--color"],
    type=click.Choice(["auto", "always", "never"]),
    expose_value=False,
    help="Colour messages only on a terminal (auto), always, or never.",
)


def means_eval(words: Sequence[str]) -> bool:
    """Whether the first of the words is an expression (or NAME=VALUE), no command and no option.

    A name alone is taken for a command, so that a misspelt one is noticed.  After ``--`` there are
    no options.
    """
    options = words[:1] != ["--"]
    first = "".join(words[:1] if options else words[1:2])
    if options and (first == "-h" or LONG_OPTION.fullmatch(first)):
        return False
    return first != "" and not first.isidentifier()


class CommandGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read ``--color`` first, wherever it stands, so that every message obeys it."""
        choices: list[str] = []
        rest: list[str] = []
        words = iter(args)
        for word in words:
            if word == "--":
                rest += [word, *words]
            elif word == "--color" and (choice := next(words, None)) is not None:
                choices.append(choice)
            elif word.startswith("--color="):
                choices.append(word.removeprefix("--color="))
            else:
                rest.append(word)
        for choice in choices:
            report.use_color(choice)
        if rest[:1] == ["help"]:
            rest = [*rest[1:], "--help"]
        if means_eval(rest) or (rest and self.is_option_of_eval(ctx, rest[0])):
            rest.insert(0, "eval")
        return super().parse_args(ctx, [*(f"--color={choice}" for choice in choices), *rest])

    def is_option_of_eval(self, ctx: click.Context, word: str) -> bool:
        """Whether an option before any command is one that only `eval` has."""
        name = word.partition("=")[0]
        if not LONG_OPTION.fullmatch(word) or any(name in each.opts for each in self.params):
            return False
        command = self.get_command(ctx, "eval")
        return command is not None and any(name in each.opts for each in command.params)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; its module defines it as ``command``."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"dezero_cli.commands.{cmd_name}")
        command: click.Command = module.command
        if COLOR not in command.params:  # so that its help and completion know it
            command.params.append(COLOR)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; the message for an unknown one names the nearest."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            near = nearest(args[0], [*COMMANDS, "help"])
            hint = f"did you mean {near}?" if near else f"the commands are {', '.join(COMMANDS)}"
            if near is None and args[0].isidentifier():
                hint += f"; for the expression, write dezero eval {args[0]}"
            raise click.UsageError(f"no command {args[0]!r}: {hint}")
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from dezero_cli import __version__

        click.echo(f"dezero {__version__}")
        ctx.exit()


@click.group(
    cls=CommandGroup,
    params=[COLOR],
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Print the version.",
)
def cli() -> None:
    """Evaluate and differentiate expressions."""


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; every fault is shown here, in one line."""
    report.use_color("auto")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a letter that a terminal lacks is no fault
            stream.reconfigure(errors="backslashreplace")
    try:
        if "_DEZERO_COMPLETE" in os.environ:
            _check_completion()
            cli.main(prog_name="dezero")
        words = list(sys.argv[1:] if args is None else args)
        with cli.make_context("dezero", words) as context:
            status = cli.invoke(context)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except CommandError as fault:
        return _fail(report.fault_text(fault), fault.status)
    except click.UsageError as fault:
        if isinstance(fault, click.exceptions.NoArgsIsHelpError):
            click.echo(fault.ctx.get_help() if fault.ctx else "", err=True)
            return 2
        return _fail(report.fault_text(_lower(fault.format_message())), 2)
    except click.ClickException as fault:
        return _fail(report.fault_text(_lower(fault.format_message())), 1)
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:
        _close_output()
        return 0
    except MemoryError:
        return _fail(report.fault_text("not enough memory"), 1)
    except ImportError as fault:
        if re.search("failed to map|cannot allocate", str(fault), re.IGNORECASE):
            return _fail(report.fault_text("not enough memory"), 1)
        return _fail(report.fault_text(_broken_installation(fault)), 1)
    except OSError as fault:
        _close_output()
        reason = f"{fault.filename or 'output'}: {_lower(fault.strerror or str(fault))}"
        return _fail(report.fault_text(reason), 1)
    except Exception as fault:  # noqa: BLE001, so that no user ever sees a traceback
        reason = f"internal error, please report it: {type(fault).__name__}: {fault}"
        return _fail(report.fault_text(reason), 1)


def _check_completion() -> None:
    """Refuse what no shell's completion script gives."""
    known = {"COMP_WORDS", "COMP_CWORD"} <= os.environ.keys()
    asked = os.environ["_DEZERO_COMPLETE"]
    counted = asked == "fish_complete" or os.environ.get("COMP_CWORD", "").isdecimal()
    if asked.endswith("_complete") and not (known and counted):
        what = "COMP_WORDS and COMP_CWORD, as the shell's own script for completion sets them"
        raise click.UsageError(f"_DEZERO_COMPLETE={asked} needs {what}")


def _broken_installation(fault: ImportError) -> str:
    """What is wrong if a module cannot be imported, or lacks something that it should have.

    Another package, that of the DeZero book, is also named `dezero`, and takes the same folder.
    """
    if (fault.name or "").partition(".")[0] != "dezero":
        return f"the installation is incomplete: {fault}"
    engine = sys.modules.get("dezero")
    place = engine.__path__[0] if engine else "this environment"
    return (
        f"another package named dezero is installed in {place}: install this one in an "
        "environment of its own, for example with pipx"
    )


def _lower(message: str) -> str:
    """A message of another library in this one's style: lower case, one line, no full stop."""
    message = " ".join(message.split()).rstrip(".")
    return message[:1].lower() + message[1:]


def _fail(text: str, status: int) -> int:
    try:
        sys.stdout.flush()
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        _close_output()
    return status


def _close_output() -> None:
    """Keep Python from writing to a broken standard output again when it ends."""
    with contextlib.suppress(OSError, ValueError):  # not a file, as in tests
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _reopen_closed() -> None:
    """If a standard stream is closed (``>&-``), make its use a fault that can be reported.

    The null device takes its place, opened the wrong way round, so that no file opened later gets
    the stream's number; what would go to a closed standard error is lost.
    """
    wrong_way = {"stdin": os.O_WRONLY, "stdout": os.O_RDONLY, "stderr": os.O_RDWR}
    for name, flags in wrong_way.items():
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, flags)  # the lowest that is free: this stream's own
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(descriptor, mode, closefd=False))  # noqa: SIM115


def _end_quietly(*_: object) -> None:
    """Ctrl-C while there is nothing to clean up; `output.signals` says where there is."""
    os._exit(130)


def _unraisable(found: sys.UnraisableHookArgs) -> None:
    """Press Ctrl-C again, a moment later, where it came while Python freed something."""
    if not issubclass(found.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(found)
        return
    import _thread
    import threading

    threading.Timer(0.01, _thread.interrupt_main).start()


def main() -> None:
    """The console script."""
    quiet = signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    _reopen_closed()
    if quiet:
        signal.signal(signal.SIGINT, _end_quietly)
        sys.unraisablehook = _unraisable
    try:
        status = run()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 0
    if quiet:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if "polars" in sys.modules:  # its threads may still run, and Python's clean-up then aborts
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
