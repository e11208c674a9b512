"""`dezero batch` in real pipes and processes: real faults, and answers that come at once."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

import pytest

from tests.conftest import on_terminal

BATCH = [sys.executable, "-m", "dezero_cli", "batch"]
JOBS = pytest.mark.parametrize("jobs", ["1", "2"])
PATIENCE = 60  # seconds after which a test has hung


def shell(command, **options):
    """Run a command line in bash, where `batch` is `dezero batch`."""
    script = f'batch() {{ "{sys.executable}" -m dezero_cli batch "$@"; }}\n{command}'
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, timeout=PATIENCE, check=False, **options
    )


def read(stream, size=1 << 16):
    """What a pipe holds, as soon as it holds something."""
    assert select.select([stream], [], [], PATIENCE)[0], "nothing came"
    return os.read(stream.fileno(), size)


@pytest.fixture
def lines(tmp_path):
    """A file whose answers are far more than a pipe holds."""
    path = tmp_path / "lines.jsonl"
    path.write_text("".join(f'{{"expr":"x*2","vars":{{"x":{i}}}}}\n' for i in range(60_000)))
    return path


# ------------------------------------------------------------------------------- the output is gone
@JOBS
def test_head_ends_quietly(lines, jobs):
    done = shell(f"batch --jobs {jobs} {lines} | head -n 3; echo ${{PIPESTATUS[0]}}")
    *answers, status = done.stdout.splitlines()
    assert [json.loads(line)["value"] for line in answers] == [0.0, 2.0, 4.0]
    assert (status, done.stderr) == (b"0", b"")


@JOBS
def test_a_full_disk_is_one_line_and_status_1(lines, jobs):
    done = shell(f"batch --jobs {jobs} {lines} >/dev/full")
    assert done.stderr == b"error: output: no space left on device\n"
    assert done.returncode == 1


@JOBS
def test_a_closed_standard_output_is_one_line_and_status_1(lines, jobs):
    before = lines.read_bytes()
    done = shell(f"batch --jobs {jobs} {lines} >&-")
    assert done.stderr == b"error: output: bad file descriptor\n"
    assert done.returncode == 1
    assert lines.read_bytes() == before


def test_closed_standard_input_and_error():
    done = shell("batch <&-")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"error: standard input: bad file descriptor\n"
    done = shell("printf '1+\\n2' | batch 2>&-")
    assert (done.returncode, done.stderr) == (1, b"")
    assert [json.loads(line)["line"] for line in done.stdout.splitlines()] == [1, 2]


# ------------------------------------------------------------------------------------------- Ctrl-C
@JOBS
def test_an_interrupt_leaves_whole_lines(lines, jobs):
    command = [*BATCH, "--jobs", jobs, lines]
    with Popen(command, stdout=PIPE, stderr=PIPE, start_new_session=True) as process:
        out = read(process.stdout, 1000)
        time.sleep(0.3)  # the pipe is full, and the process in the middle of a line
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the workers too
        time.sleep(0.3)
        out += process.stdout.read()
        err = process.stderr.read()
        assert process.wait(PATIENCE) == 130
    found = [json.loads(line) for line in out.splitlines()]
    assert out.endswith(b"\n")
    assert [r["value"] for r in found] == [2.0 * i for i in range(len(found))]
    assert 0 < len(found) < 60_000
    assert err == b""


@JOBS
def test_an_interrupt_while_waiting_for_lines(jobs):
    command = [*BATCH, "--jobs", jobs]
    with Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True) as process:
        process.stdin.write(b"1+1\n")
        process.stdin.flush()
        out = read(process.stdout)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert process.stdout.read() == process.stderr.read() == b""
    assert json.loads(out)["value"] == 2.0


# ------------------------------------------------------------------------------- processes that die
HEAVY = b"x" + b"**x" * 60_000 + b" ; x=1"  # a second or so of work, in one line


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ticks(pid):
    """Hundredths of a second that a process has worked."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])


def busy_child(pid):
    """The child of a process that has begun to work on a heavy line."""
    known = {child: ticks(child) for child in children(pid)}
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for child in children(pid):
            if ticks(child) > known.get(child, 0) + 20:
                return child
        time.sleep(0.01)
    raise AssertionError("no child works")


def test_the_lines_of_a_killed_worker_are_run_again(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(b"1+1\nx*3 ; x=2\n" + HEAVY + b"\nx* ; x=1\nx*4 ; x=2\n")
    expected = subprocess.run([*BATCH, path], capture_output=True, timeout=PATIENCE)
    with Popen([*BATCH, "--jobs", "2", path], stdout=PIPE, stderr=PIPE) as process:
        os.kill(busy_child(process.pid), signal.SIGKILL)
        out, err = process.stdout.read(), process.stderr.read().decode()
        assert process.wait(PATIENCE) == 1
    assert out == expected.stdout
    note, *errors = err.splitlines(keepends=True)
    assert note == f"note: a worker process died; running lines 3 to 5 of {path} again\n"
    assert "".join(errors) == expected.stderr.decode()


def test_workers_killed_while_idle_lose_nothing():
    with Popen([*BATCH, "--jobs", "2"], stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        for i in range(3):
            process.stdin.write(f"x*{i} ; x=2\n".encode())
            process.stdin.flush()
            assert json.loads(read(process.stdout)) == {
                "line": i + 1,
                "expr": f"x*{i}",
                "value": 2.0 * i,
                "grad": {"x": float(i)},
            }
            for child in children(process.pid):
                os.kill(child, signal.SIGKILL)
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read().decode().splitlines() == [
            f"note: a worker process died; running line {i} of - again" for i in (2, 3)
        ]


@pytest.mark.parametrize(("kills", "value"), [(2, 1.0), (3, None)])
def test_a_line_that_kills_its_worker_twice_is_an_error_record(tmp_path, kills, value):
    """The first process had other lines too, and is not counted."""
    path = tmp_path / "lines"
    length = 300_000 if value is None else 100_000
    deadly = b'{"id":[7],"expr":"x' + b"**x" * length + b'","vars":{"x":1}}'
    path.write_bytes(b"2*3\n" + deadly + b"\nx+ ; x=1\nx*4 ; x=2\n")
    with Popen([*BATCH, "--jobs", "2", path], stdout=PIPE, stderr=PIPE) as process:
        for _ in range(kills):
            os.kill(busy_child(process.pid), signal.SIGKILL)
        out, err = process.stdout.read(), process.stderr.read().decode()
        assert process.wait(PATIENCE) == 1
    found = [json.loads(line) for line in out.splitlines()]
    assert [(r["line"], r.get("value")) for r in found] == [
        (1, 6.0),
        (2, value),
        (3, None),
        (4, 8.0),
    ]
    assert found[1]["id"] == [7]
    assert found[1]["expr"] == "x" + "**x" * length
    notes = [f"note: a worker process died; running lines 2 to 4 of {path} again"]
    if value is None:
        message = "the process that worked on this line died twice"
        assert found[1]["error"] == {"type": "worker", "message": message, "column": 1}
        notes.append(f"{path}:2:1: {message}")
    assert err.splitlines() == [*notes, f"{path}:3:3: expected a value after '+'"]


def test_no_process_outlives_a_killed_parent():
    with Popen([*BATCH, "--jobs", "2"], stdin=PIPE, stdout=PIPE) as process:
        process.stdin.write(b"1\n")
        process.stdin.flush()
        read(process.stdout)
        workers = children(process.pid)
        process.kill()
        process.wait(PATIENCE)
        assert read(process.stdout) == b""  # the end comes when the last process is gone
    assert len(workers) == 2


# ---------------------------------------------------------------------------------- a slow producer
@JOBS
def test_each_answer_comes_before_the_next_line_is_sent(jobs):
    with Popen([*BATCH, "--jobs", jobs], stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        for i in range(1, 6):
            process.stdin.write(f'{{"expr":"x*2","vars":{{"x":{i}}}}}\n'.encode())
            process.stdin.flush()
            assert json.loads(read(process.stdout))["value"] == 2.0 * i
        process.stdin.write(b"x+\n3")  # what is not a whole line waits for its end
        process.stdin.flush()
        assert json.loads(read(process.stdout))["line"] == 6
        process.stdin.close()
        assert json.loads(process.stdout.read())["value"] == 3.0
        assert process.wait(PATIENCE) == 1


# -------------------------------------------------------------------------------- the progress bar
# however fast the machine is, the line is shown after each block
ALWAYS = [
    sys.executable,
    "-c",
    "from dezero_cli import main, progress; progress.Progress.INTERVAL = 0.0; main.main()",
    "batch",
]


def watched(args, start=BATCH, **options):
    """Run batch with standard error on a terminal; what the terminal gets, and standard output."""
    leader, terminal = pty.openpty()
    with Popen([*start, *args], stdout=PIPE, stderr=terminal, **options) as process:
        os.close(terminal)
        with ThreadPoolExecutor(1) as reader:  # a terminal takes only so much unread
            shown = reader.submit(on_terminal, leader)
            out = process.stdout.read()
    return shown.result().decode(), out


def test_progress_for_a_file_and_a_terminal(tmp_path):
    path = tmp_path / "lines"
    path.write_text("1\n" * 10 + "1+\n" + "1\n" * 200_000)
    environment = os.environ | {"TERM": "xterm", "NO_COLOR": "1"}
    shown, out = watched([path], start=ALWAYS, env=environment)
    found = re.findall(r"batch +(\d+)%  [\d,]+ lines  [\d,]+ lines/s", shown)
    shares = [int(share) for share in found]
    assert shares == sorted(shares) and 0 < shares[0] < shares[-1] == 100
    assert f"{path}:11:3: expected a value after '+'\r\n" in shown
    assert shown.endswith("\r\x1b[K")
    assert out.count(b"\n") == 200_011
    assert b"batch" not in out


def test_no_progress_for_a_pipe_or_off_a_terminal(tmp_path):
    path = tmp_path / "lines"
    path.write_text("1\n")
    for args, count in (([], 1), (["-"], 1), ([path, "-"], 2)):
        with path.open() as content:
            shown, out = watched(args, stdin=content)
        assert (shown, out.count(b"\n")) == ("", count)
    done = subprocess.run([*BATCH, path], capture_output=True, stdin=DEVNULL, timeout=PATIENCE)
    assert (done.stderr, done.stdout.count(b"\n")) == (b"", 1)
