"""Completion of commands, options and files in real shells, as docs/how-to/completion.md says."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time

import pytest


def need(shell):
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with `dezero` on the path and a file to complete."""
    script = tmp_path / "bin" / "dezero"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dezero_cli "$@"\n')
    script.chmod(0o755)
    (tmp_path / "formulas.txt").write_text("x\n")
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def script(shell):
    """What `dezero completion SHELL` prints."""
    return subprocess.run(
        ["dezero", "completion", shell], capture_output=True, text=True, timeout=60, check=True
    ).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_for_dezero_and_that_shell(dezero, shell):
    done = dezero("completion", shell)
    assert done.status == 0 and f"_DEZERO_COMPLETE={shell}_complete" in done.out
    assert done.out.endswith("\n") and not done.out.startswith("\n")


@pytest.mark.parametrize("words", [["tcsh"], ["bash", "zsh"], ["BASH"]])
def test_another_shell_is_refused_in_a_line(dezero, words):
    done = dezero("completion", *words)
    assert done.status == 2 and done.out == "" and done.err.startswith("error: ")
    assert done.err.count("\n") == 1


CASES = [
    ("dezero ev", ["eval"]),
    ("dezero de", ["derive"]),
    ("dezero eval x --j", ["--jacobian", "--json"]),
    ("dezero eval x x=1 --js", ["--json"]),
    ("dezero derive x --to ", ["c", "js", "latex", "numpy", "python", "sql"]),
    ("dezero --color al", ["always"]),
    ("dezero --color always ev", ["eval"]),
    ("dezero eval x --color n", ["never"]),
    ("dezero plot x --to s", ["svg"]),
    ("dezero completion f", ["fish"]),
    ("dezero x", []),
]


@need("bash")
def test_bash(home):
    (home / "dezero.bash").write_text(script("bash"))
    lines = ["source dezero.bash"]
    for line, _ in CASES:
        words = " ".join(f"'{word}'" for word in line.split(" "))
        lines += [
            f"COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=()",
            '_dezero_completion dezero; echo "${COMPREPLY[@]}"',
        ]
    lines.append("complete -p dezero")
    done = subprocess.run(
        ["bash", "--norc", "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    *shown, registered = done.stdout.splitlines()
    assert done.stderr == "" and registered.endswith("-F _dezero_completion dezero")
    assert [sorted(words.split()) for words in shown] == [expected for _, expected in CASES]


@need("fish")
def test_fish(home):
    folder = home / ".config" / "fish" / "completions"
    folder.mkdir(parents=True)
    (folder / "dezero.fish").write_text(script("fish"))
    commands = "; echo ===; ".join(f"complete -C '{line}'" for line, _ in CASES)
    done = subprocess.run(
        ["fish", "-c", commands], capture_output=True, text=True, timeout=120, check=True
    )
    shown = [
        sorted(line.partition("\t")[0] for line in part.splitlines() if line)
        for part in done.stdout.split("===\n")
    ]
    assert shown == [expected for _, expected in CASES]


ATTACHED = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execvp(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A shell at a terminal, typed at as a person does."""

    def __init__(self, *command):
        self.terminal, other = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", ATTACHED, *command],
            stdin=other,
            stdout=other,
            stderr=other,
            env={**os.environ, "TERM": "dumb"},
        )
        os.close(other)

    def type(self, text, awaited, seconds=60):
        """Type a text; give what is shown up to the awaited one, or fail."""
        os.write(self.terminal, text.encode())
        shown, end = b"", time.monotonic() + seconds
        while awaited.encode() not in shown:
            assert time.monotonic() < end, shown.decode()
            if select.select([self.terminal], [], [], 0.2)[0]:
                shown += os.read(self.terminal, 4096)
        return shown.decode()

    def close(self):
        os.close(self.terminal)  # which ends the shell
        self.process.wait(timeout=60)


@need("zsh")
def test_zsh(home):
    (home / "dezero.zsh").write_text(script("zsh"))
    terminal = Terminal("zsh", "-f", "-i")
    try:
        terminal.type("PS1='> '; autoload -Uz compinit; compinit -u -D\r", "compinit")
        terminal.type("source dezero.zsh; print REA''DY\r", "READY")
        terminal.type("dezero ev\t", "dezero eval ")
        terminal.type("x x=1 --js\t", "--json ")
        terminal.type("\r", '{"expr":"x","value":1.0,"grad":{"x":1.0}}')
        terminal.type("dezero batch form\t", "formulas.txt")
        terminal.type("\r", '"line":1')
        shown = terminal.type("dezero derive x --to \t", "sql")
        assert {"latex", "numpy", "js"} <= set(shown.split())
    finally:
        terminal.close()


@need("bash")
def test_bash_at_a_terminal(home):
    (home / "dezero.bash").write_text(script("bash"))
    terminal = Terminal("bash", "--norc", "--noprofile", "-i")
    try:
        terminal.type("PS1='> '; source dezero.bash; echo REA''DY\r", "READY")
        terminal.type("dezero ev\t", "dezero eval ")
        terminal.type("2+3 --js\t", "--json ")
        terminal.type("\r", '{"expr":"2+3","value":5.0,"grad":{}}')
        terminal.type("dezero batch form\t", "formulas.txt")
    finally:
        terminal.close()
