"""`dezero map --scheduler`: a cluster of two processes writes what one process writes."""

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time

import polars as pl
import pytest
from distributed import LocalCluster

from dezero_cli.faults import ClusterError
from dezero_cli.tables import cluster
from tests.conftest import unmeasured
from tests.tables.test_map import numbers, read_back, write

EXPRESSION = "exp(-x**2)*sin(3*y) + arctan2(x, y)*log1p(x*x)"


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """A cluster of two worker processes."""
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        memory_limit=0,
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
        local_directory=str(tmp_path_factory.mktemp("dask")),
    ) as running:
        yield running


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder of five tables."""
    monkeypatch.chdir(tmp_path)
    for i in range(5):
        numbers(2000 + i, seed=i).with_columns(n=i, s=pl.lit('a,"b')).write_csv(f"t{i}.csv")
    return tmp_path


def manifest(folder):
    """What the manifest says, all of it true of the folder."""
    found = json.loads((folder / "manifest.json").read_text())
    assert sorted(os.listdir(folder)) == sorted(
        ["manifest.json", *(each["part"] for each in found["parts"])]
    )
    assert found["rows"] == sum(each["rows"] for each in found["parts"])
    return found


def test_two_workers_write_what_one_process_writes(dezero, here, workers):
    for form in ("csv", "jsonl", "parquet"):
        words = ["map", EXPRESSION, "t*.csv", "--to", form]
        outcome = dezero(*words, "-o", form, "--scheduler", workers.scheduler_address)
        assert outcome == (0, "", "")
        found = manifest(here / form)
        assert [each["rows"] for each in found["parts"]] == [2000, 2001, 2002, 2003, 2004]
        assert found["command"]["expr"] == EXPRESSION
        for i, each in enumerate(found["parts"]):
            assert each["table"] == str(here / f"t{i}.csv")
            assert dezero("map", EXPRESSION, f"t{i}.csv", "-o", f"alone.{form}").status == 0
            assert (here / form / each["part"]).read_bytes() == (
                here / f"alone.{form}"
            ).read_bytes()


def test_correlated_uncertainties_go_to_the_workers(dezero, here, workers):
    words = ["map", EXPRESSION, "t0.csv", "--sigma=y=0.1", "--sigma=x=2%", "--corr=x,y=-0.5"]
    outcome = dezero(*words, "-o", "parts", "--scheduler", workers.scheduler_address)
    assert outcome == (0, "", "")
    (part,) = manifest(here / "parts")["parts"]
    assert dezero(*words, "-o", "alone.csv").status == 0
    alone = (here / "alone.csv").read_bytes()
    assert b"sigma" in alone and (here / "parts" / part["part"]).read_bytes() == alone


def test_a_large_file_is_several_tasks(dezero, here, workers, monkeypatch):
    monkeypatch.setattr(cluster, "LARGE", 1000)
    monkeypatch.setattr(cluster, "ROWS", 700)
    frame = numbers(3000).with_columns(n=pl.int_range(3000))
    frame.write_parquet("big.parquet", row_group_size=512)
    words = ["map", EXPRESSION, "big.parquet"]
    assert dezero(*words, "-o", "out", "--scheduler", workers.scheduler_address).status == 0
    found = manifest(here / "out")
    assert [(each["from"], each["to"], each["rows"]) for each in found["parts"]] == [
        (0, 700, 700), (700, 1400, 700), (1400, 2100, 700), (2100, 2800, 700), (2800, 3000, 200),
    ]  # fmt: skip
    assert dezero(*words, "-o", "alone.parquet").status == 0
    together = pl.concat([read_back(here / "out" / each["part"]) for each in found["parts"]])
    assert together.equals(read_back(here / "alone.parquet"))
    assert sorted(each["part"] for each in found["parts"]) == [e["part"] for e in found["parts"]]


def test_a_killed_worker_changes_nothing(dezero, here, workers):
    """SIGKILL to the worker that is writing; both workers have work left, and the rest is done."""
    for i in range(6):
        numbers(400_000, seed=i).write_parquet(f"l{i}.parquet")
    killed, ended = [], threading.Event()

    def kill():
        folder = here / "out"
        while not killed and not ended.is_set():
            done = list(folder.glob("*.csv"))
            pids = [pid for pid in worker_pids(workers) if writing(pid, folder)]
            if done and pids:
                killed.append(min(pids))
                os.kill(killed[0], signal.SIGKILL)
            time.sleep(0.002)

    killer = threading.Thread(target=kill)
    killer.start()
    words = ["map", EXPRESSION, "l*.parquet", "--to", "csv"]
    outcome = dezero(*words, "-o", "out", "--scheduler", workers.scheduler_address)
    ended.set()
    killer.join()
    assert outcome == (0, "", "") and killed
    found = manifest(here / "out")
    assert [each["rows"] for each in found["parts"]] == [400_000] * 6
    for i, each in enumerate(found["parts"]):
        assert dezero("map", EXPRESSION, f"l{i}.parquet", "-o", "alone.csv").status == 0
        assert (here / "out" / each["part"]).read_bytes() == (here / "alone.csv").read_bytes()


def worker_pids(workers):
    """The processes of a cluster."""
    return [worker.pid for worker in workers.workers.values() if worker.pid]


def writing(pid, folder):
    """Whether a process has an unfinished part open."""
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
        links = [os.readlink(f"/proc/{pid}/fd/{each}") for each in descriptors]
    except OSError:  # it has just gone, or closed one
        return False
    return any(link.startswith(f"{folder}/.") and link.endswith(".part") for link in links)


def test_resume(dezero, here, workers):
    words = ["map", EXPRESSION, "t*.csv", "-o", "out", "--scheduler", workers.scheduler_address]
    write(here, "t9.csv", "x,y,n,s\n1,2,3,4\n1,two,3,4\n")
    outcome = dezero(*words)
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == f"error: {here}/t9.csv: row 2, column y: 'two' is not a number\n"
    assert not (here / "out" / "manifest.json").exists()
    assert dezero(*words).err == "error: out: the folder is not empty: use --resume to continue\n"
    wrong = dezero(*words[:1], "x", *words[2:], "--resume")
    assert wrong == (2, "", "error: out: its parts were written by a different command\n")

    write(here, "t9.csv", "x,y,n,s\n1,2,3,4\n1,2.5,3,4\n")
    lines = map(json.loads, (here / "out" / cluster.RUNNING).read_text().splitlines()[1:])
    noted = {each["part"] for each in lines}  # others may still have been at work
    before = {name: (here / "out" / name).stat().st_mtime_ns for name in noted}
    assert dezero(*words, "--resume") == (0, "", "")
    found = manifest(here / "out")
    assert [each["rows"] for each in found["parts"]] == [2000, 2001, 2002, 2003, 2004, 2]
    after = {path.name: path.stat().st_mtime_ns for path in (here / "out").glob("*.csv")}
    assert before and before.items() <= after.items()  # whole parts are not written again

    write(here, "t9.csv", "x,y,n,s\n1,2,3,4\n")  # it has changed since: its part goes
    (here / "out" / ".t0.csv.0123abcd.part").write_text("what a killed worker leaves")
    assert dezero(*words, "--resume").status == 0
    assert manifest(here / "out")["parts"][-1]["rows"] == 1


def test_columns_have_one_type_in_all_parts(dezero, here, workers):
    write(here, "a.csv", "x,k\n1,007\n2,\n")
    write(here, "b.csv", "x,k\n1.5,7\n")
    write(here, "c.csv", "x,k\n,7\n")
    words = ["map", "x", "[abc].csv", "--to", "parquet", "-o", "out"]
    assert dezero(*words, "--scheduler", workers.scheduler_address).status == 0
    parts = [here / "out" / each["part"] for each in manifest(here / "out")["parts"]]
    assert {tuple(pl.read_parquet_schema(part).values())[:2] for part in parts} == {
        (pl.Float64(), pl.String())
    }
    assert pl.read_parquet(parts)["k"].to_list() == ["007", None, "7", "7"]


def test_a_cluster_of_this_machine(dezero, here):
    words = ["map", "x*y", "t0.csv", "t1.csv", "-o", "deep/out", "--scheduler", "local"]
    assert dezero(*words) == (0, "", "")
    assert manifest(here / "deep" / "out")["rows"] == 4001
    assert dezero(*words, "--resume") == (0, "", "")  # nothing is left to do


def test_commands_that_are_refused(dezero, here, monkeypatch):
    monkeypatch.setattr(cluster, "TIMEOUT", 0.2)
    words = ["-o", "out", "--scheduler", "tcp://127.0.0.1:9"]
    outcome = dezero("map", "x", "t0.csv", *words)
    assert outcome.status == 1 and outcome.err.startswith(
        "error: no scheduler at tcp://127.0.0.1:9"
    )
    piped = dezero("map", "x", "-", *words)
    assert piped == (2, "", "error: --scheduler reads files, not standard input or pipes\n")
    assert dezero("map", "x*z", "t0.csv", *words).err.startswith("error: no column z")
    write(here, "bad.csv", "a,b\n1,2\n")
    assert "its columns are a, b" in dezero("map", "x", "t0.csv", "bad.csv", *words).err
    assert "t0.csv is given twice" in dezero("map", "x", "t0.csv", "t0.csv", *words).err
    assert not (here / "out").exists()
    write(here, "file", "as it was")
    outcome = dezero("map", "x", "t0.csv", "--scheduler", "local", "-o", "file")
    assert "file: is not a folder" in outcome.err and (here / "file").read_text() == "as it was"
    (here / "full").mkdir()
    write(here / "full", "mine.txt", "")
    words[1] = "full"
    outcome = dezero("map", "x", "t0.csv", "-o", "full", "--scheduler", "local", "--resume")
    assert outcome == (2, "", "error: full: the folder is not empty: choose a new folder\n")


def test_a_part_that_was_damaged_since_is_written_again(dezero, here, workers):
    words = ["map", EXPRESSION, "t*.csv", "-o", "out", "--scheduler", workers.scheduler_address]
    assert dezero(*words).status == 0
    parts = [here / "out" / each["part"] for each in manifest(here / "out")["parts"]]
    good = [part.read_bytes() for part in parts]
    parts[0].write_bytes(good[0][:-1] + b"#")  # of the same size
    parts[1].write_bytes(good[1][:1000])
    parts[2].unlink()
    kept = parts[3].stat().st_mtime_ns
    assert dezero(*words, "--resume") == (0, "", "")
    assert [part.read_bytes() for part in parts] == good
    assert parts[3].stat().st_mtime_ns == kept
    for each in manifest(here / "out")["parts"]:
        content = (here / "out" / each["part"]).read_bytes()
        assert each["size"] == len(content)
        assert each["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_run_that_was_killed_knows_what_it_has_written(dezero, here, workers):
    """Its list has a line for each part; the last may be cut."""
    words = ["map", EXPRESSION, "t*.csv", "-o", "out", "--scheduler", workers.scheduler_address]
    assert dezero(*words).status == 0
    found = manifest(here / "out")
    records = found["parts"]
    running = {"command": found["command"], "parts": [{"part": r["part"]} for r in records]}
    lines = [running, *records[:3]]
    text = "".join(json.dumps(each) + "\n" for each in lines) + json.dumps(records[3])[:30]
    (here / "out" / ".running.json").write_text(text)
    (here / "out" / "manifest.json").unlink()
    before = [(here / "out" / r["part"]).stat().st_mtime_ns for r in records]
    assert dezero(*words, "--resume") == (0, "", "")
    after = [(here / "out" / r["part"]).stat().st_mtime_ns for r in manifest(here / "out")["parts"]]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True] * 3 + [False] * 2


NO_MANIFESTS = [
    "1",
    "null",
    "[]",
    "{}",
    "nonsense",
    '"\\ud800"',
    "[" * 100_000,
    '{"command":1}',
    '{"command":{},"parts":1}',
    '{"command":{},"parts":[1]}',
    '{"command":{},"parts":[{"part":1}]}',
]


@pytest.mark.parametrize("name", ["manifest.json", ".running.json"])
def test_what_is_no_manifest_is_one_line(dezero, here, name):
    (here / "out").mkdir()
    words = ["map", "x", "t0.csv", "-o", "out", "--scheduler", "local", "--resume"]
    for text in NO_MANIFESTS:
        write(here / "out", name, text)
        outcome = dezero(*words)
        assert outcome.status == 2 and outcome.err == f"error: out/{name}: not a manifest\n", text


def test_a_name_that_is_not_utf8(dezero, here, workers):
    name = os.fsdecode(b"t\xff.csv")
    os.rename("t0.csv", name)
    words = ["map", "x", name, "-o", "out", "--scheduler", workers.scheduler_address]
    assert dezero(*words) == (0, "", "")
    assert manifest(here / "out")["parts"][0]["table"] == str(here / name)
    assert dezero(*words, "--resume") == (0, "", "")


def test_a_cluster_without_workers_is_noted_and_one_that_is_gone_is_one_line(monkeypatch):
    monkeypatch.setattr(cluster, "MOMENT", 0.05)
    monkeypatch.setattr(cluster, "PATIENCE", 0.1)
    empty = LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=logging.CRITICAL)
    said = []

    def warn(text):
        said.append(text)
        threading.Thread(target=empty.close).start()

    monkeypatch.setattr(cluster.report, "warn", warn)
    with cluster._client(empty.scheduler_address, 1) as client:
        futures = client.map(abs, [1, 2], pure=False)
        with pytest.raises(ClusterError, match=r"is lost: .* --resume goes on with the rest"):
            list(cluster._finished(client, futures))
    assert said == ["note: the cluster has no workers; waiting for some (Ctrl-C ends)"]


def test_what_is_started_here_prints_nothing(capfd):
    with cluster._unheard():
        subprocess.run(["sh", "-c", "echo hidden >&2"], check=True)
    subprocess.run(["sh", "-c", "echo shown >&2"], check=True)
    assert capfd.readouterr().err == "shown\n"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_terminal_that_ends_everything_sees_no_message(here, number):
    (here / "t0.csv").write_text("x\n" + "1\n" * 2_000_000)
    words = ["map", "x", "t0.csv", "-o", "out", "--scheduler", "local"]
    run = subprocess.Popen(
        [sys.executable, "-m", "dezero_cli", *words],
        stderr=subprocess.PIPE,
        env=unmeasured(),
        start_new_session=True,
    )
    while not (here / "out" / cluster.RUNNING).exists():
        assert run.poll() is None
    os.killpg(run.pid, number)
    assert run.communicate() == (None, b"")  # it ends when the last of the processes has
    assert run.returncode == 128 + number
