"""Tables on a Dask cluster: a task for each file, or for some rows of a large one.

A task writes its part of the output under a temporary name and then renames it, so that running a
task again changes nothing.  The name of a part identifies its table: the same file, with the same
size and time of change, gives the same name in a second run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, NamedTuple

from dezero_cli import output, reading, report
from dezero_cli.extras import require
from dezero_cli.faults import ClusterError, FileError, UsageError
from dezero_cli.progress import Progress
from dezero_cli.tables import columnar, mapping
from dezero_cli.tables.files import SEPARATORS, TEXT, Tables
from dezero_cli.tables.inference import Types
from dezero_cli.tables.step import Plan

distributed = require("distributed")

LARGE = 256 << 20
"""A Parquet file of at least this many bytes is more than one task."""

ROWS = 1 << 22
"""Rows of a task of a large Parquet file."""

TIMEOUT = 10
"""Seconds to wait for a scheduler to answer."""

MOMENT, PATIENCE = 1.0, 10.0
"""Seconds between looks at the cluster, and without workers before that is said."""

MANIFEST = "manifest.json"
"""The file that a complete folder has in addition to its parts."""

RUNNING = ".running.json"
"""The file that a folder has instead of the manifest while parts are missing."""


class Written(NamedTuple):
    """What is known of a part that is complete: its rows, its bytes, and their SHA-256."""

    rows: int
    size: int
    sha256: str

    def is_of(self, path: str) -> bool:
        """Whether a file is that part, whole and unchanged."""
        try:
            return os.path.getsize(path) == self.size and _checksum(path) == self.sha256
        except OSError:
            return False


def _checksum(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One task: a table, or some rows of it, and the file that its result is written to."""

    table: Tables
    path: str

    @property
    def name(self) -> str:
        """The name of the file in its folder."""
        return os.path.basename(self.path)

    def record(self, written: Written) -> dict[str, Any]:
        """What the manifest says about this part."""
        said = {"part": self.name, "table": self.table.names[0], **written._asdict()}
        rows = self.table.rows
        return said | ({"from": rows[0], "to": rows[1]} if rows else {})


def map_on_cluster(
    tables: Tables, plan: Plan, form: str, folder: str, scheduler: str, resume: bool
) -> int:
    """Write each table with its results as a part in `folder`, then a manifest; give the row count.

    `scheduler` is the address of a Dask scheduler, or ``local`` for workers on this machine only.
    With `resume`, parts that exist are kept.  Raises what `mapping.map_tables` raises, FileError
    for a folder that is in use, and ClusterError if the cluster fails.
    """
    if any(map(reading.is_stream, tables.names)):
        raise UsageError("--scheduler reads files, not standard input or pipes")
    for name in tables.names:
        if tables.names.count(name) > 1:
            raise UsageError(f"{name} is given twice: each table has its own part of the output")
    for note in mapping.check(tables, plan):
        report.warn(note)
    command = json.loads(json.dumps({**dataclasses.asdict(plan), "to": form}))
    place = Path(folder)
    before = _before(place, command, resume)
    parts = list(_parts(tables, form, os.path.abspath(folder)))
    whole = dict(_whole(parts, before))
    missing = [part for part in parts if part.name not in whole]
    with output.signals(), contextlib.ExitStack() as stack:
        client = stack.enter_context(_client(scheduler, len(missing))) if missing else None
        _begin(place, command, parts, before, whole)
        types = _types(client, parts, plan, form) if missing else None
        if missing:
            whole |= _run(client, place, missing, plan, form, types)
    records = [part.record(whole[part.name]) for part in parts]
    total = sum(written.rows for written in whole.values())
    _write_json(place / MANIFEST, {"command": command, "rows": total, "parts": records})
    (place / RUNNING).unlink(missing_ok=True)
    _sweep(place)
    return total


def _parts(tables: Tables, form: str, folder: str) -> Iterator[Part]:
    """The tasks, in the order of the tables and their rows."""
    for name in map(os.path.abspath, tables.names):
        found = os.stat(name)
        known = os.fsencode(name) + f"\0{found.st_size}\0{found.st_mtime_ns}".encode()
        stem = Path(name).stem[:100] + "-" + hashlib.sha256(known).hexdigest()[:12]
        if tables.format != "parquet" or found.st_size < LARGE:
            yield Part(dataclasses.replace(tables, names=(name,)), f"{folder}/{stem}.{form}")
            continue
        rows = mapping.row_count(Tables((name,), "parquet"))
        for start in range(0, rows, ROWS):
            end = min(start + ROWS, rows)
            piece = Tables((name,), "parquet", rows=(start, end))
            yield Part(piece, f"{folder}/{stem}-{start:012}-{end:012}.{form}")


# ------------------------------------------------------------------------------------- the folder
def _before(place: Path, command: dict[str, Any], resume: bool) -> dict[str, Written | None]:
    """The parts that a folder may contain from an earlier run, with what is known of each.

    Raises FileError if it contains anything else, or if it is not to be resumed.
    """
    if not place.exists():
        return {}
    if not place.is_dir():
        raise FileError(str(place), "is not a folder: --scheduler writes its parts into a folder")
    before = _read(place / RUNNING) or _read(place / MANIFEST)
    if any(path.name != RUNNING for path in place.iterdir()) and not (resume and before):
        hint = "use --resume to continue" if before else "choose a new folder"
        raise FileError(str(place), f"the folder is not empty: {hint}")
    if not before:
        return {}
    if resume and before[0] != command:
        raise FileError(str(place), "its parts were written by a different command")
    return before[1]


def _whole(
    parts: Iterable[Part], before: dict[str, Written | None]
) -> Iterator[tuple[str, Written]]:
    """The parts that are there as an earlier run has written them."""
    for part in parts:
        written = before.get(part.name)
        if written is not None and written.is_of(part.path):
            yield part.name, written


def _begin(
    place: Path,
    command: dict[str, Any],
    parts: Sequence[Part],
    before: Iterable[str],
    whole: dict[str, Written],
) -> None:
    """Prepare the folder; of the earlier parts, keep those that are whole."""
    place.mkdir(parents=True, exist_ok=True)
    for name in set(before).difference(whole):
        (place / name).unlink(missing_ok=True)
    _sweep(place)
    known = [{"part": p.name} | (w._asdict() if (w := whole.get(p.name)) else {}) for p in parts]
    _write_json(place / RUNNING, {"command": command, "parts": known}, indent=None)
    (place / MANIFEST).unlink(missing_ok=True)


def _note(place: Path, record: dict[str, Any]) -> None:
    """Add to the list of a run what is known of a part that is now complete."""
    with open(place / RUNNING, "ab") as file:
        file.write(json.dumps(record).encode() + b"\n")


def _sweep(place: Path) -> None:
    """Remove what killed workers have left."""
    for path in place.glob(f".*{output.SUFFIX}"):
        path.unlink(missing_ok=True)


def _read(path: Path) -> tuple[Any, dict[str, Written | None]] | None:
    """The command of a manifest, or of a run that did not end, and its parts by name.

    The list of a run has a line for each part that was completed since; the last may be cut.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        if path.name == RUNNING:
            first, *lines = text.split(b"\n")
            data = json.loads(first)
            records = [*data["parts"], *map(json.loads, lines[:-1])]
        else:
            data = json.loads(text)
            records = data["parts"]
        return data["command"], {Path(each["part"]).name: _known(each) for each in records}
    except (ValueError, TypeError, KeyError, RecursionError):
        raise FileError(str(path), "not a manifest") from None


def _known(record: dict[str, Any]) -> Written | None:
    """What a record says of a part; None if it is not complete."""
    if "sha256" not in record:
        return None
    return Written(int(record["rows"]), int(record["size"]), str(record["sha256"]))


def _write_json(path: Path, data: Any, indent: int | None = 1) -> None:
    with output.open_output(str(path)) as file:
        file.write(json.dumps(data, indent=indent).encode() + b"\n")


# ------------------------------------------------------------------------------------ the cluster
def work(part: Part, plan: Plan, form: str, types: Types | None) -> Written:
    """One task, on a worker: write a part and return what is known of it."""
    rows = mapping.map_tables(part.table, plan, form, part.path, types=types)
    return Written(rows, os.path.getsize(part.path), _checksum(part.path))


def _types(client: Any, parts: Sequence[Part], plan: Plan, form: str) -> Types | None:
    """The types that fit all tables of text, if these are to become columns."""
    tables = [part.table for part in parts if part.table.format in SEPARATORS]
    if form in TEXT or not tables:
        return None
    futures = client.map(columnar.learnt, tables, plan=plan, pure=False)
    for _ in _finished(client, futures):
        pass
    types = Types((), tables[0].dialect)
    for future in futures:
        types.include(_result(future)[0])
    return types


def _run(
    client: Any, place: Path, parts: Sequence[Part], plan: Plan, form: str, types: Types | None
) -> dict[str, Written]:
    """Have the cluster write parts; return what is known of each, which is noted as it comes."""
    progress = Progress(len(parts))
    found: dict[str, Written] = {}
    futures = {client.submit(work, part, plan, form, types, pure=False): part for part in parts}
    try:
        for future in _finished(client, list(futures)):
            part = futures[future]
            found[part.name] = _result(future)
            _note(place, part.record(found[part.name]))
            progress.add(found[part.name].rows, 1)
            progress.show()
    finally:
        with contextlib.suppress(*_LOST):
            client.cancel(list(futures))
        progress.clear()
    return found


_LOST = (OSError, TimeoutError, CancelledError, distributed.client.FutureCancelledError)
"""What a client raises if its scheduler is gone."""


def _finished(client: Any, futures: Sequence[Any]) -> Iterator[Any]:
    """Each future as soon as it is done.

    Says so if there are no workers for a while, which may still come; raises ClusterError if the
    scheduler is gone.
    """
    waiting = set(futures)
    seen = time.monotonic()
    noted = False
    while waiting:
        done = _wait(client, waiting)
        waiting -= done
        yield from sorted(done, key=lambda future: future.status == "error")  # what is done counts
        if done or _has_workers(client):
            seen, noted = time.monotonic(), False
        elif not noted and time.monotonic() - seen > PATIENCE:
            noted = True
            report.warn("note: the cluster has no workers; waiting for some (Ctrl-C ends)")


def _wait(client: Any, waiting: set[Any]) -> set[Any]:
    """The futures that are done after a moment, some or none."""
    try:
        done: set[Any] = distributed.wait(waiting, MOMENT, "FIRST_COMPLETED").done
    except distributed.TimeoutError:
        done = set()
    except _LOST:
        raise _gone() from None
    if client.status != "running" or any(future.cancelled() for future in done):
        raise _gone()
    return done


def _has_workers(client: Any) -> bool:
    try:
        return bool(client.nthreads())
    except _LOST:
        raise _gone() from None


def _gone() -> ClusterError:
    """The fault of a scheduler that was there."""
    hint = "the parts that are complete stay, and --resume goes on with the rest"
    return ClusterError(f"the connection to the scheduler is lost: {hint}")


def _result(future: Any) -> Any:
    """The result of a task."""
    try:
        return future.result()
    except distributed.KilledWorker:
        raise ClusterError("every worker that was given one of the tasks died") from None
    except ModuleNotFoundError as fault:
        raise ClusterError(f"{fault.name} is not installed on the cluster's workers") from None
    except CancelledError:
        raise _gone() from None


@contextlib.contextmanager
def _safe_children() -> Iterator[None]:
    """Processes that are started here take no file of the current folder for a module."""
    before = os.environ.get(SAFE)
    os.environ[SAFE] = "1"
    try:
        yield
    finally:
        del os.environ[SAFE]
        if before is not None:
            os.environ[SAFE] = before


SAFE = "PYTHONSAFEPATH"
"""The variable that keeps Python from looking for modules in the current folder."""


@contextlib.contextmanager
def _client(scheduler: str, tasks: int) -> Iterator[Any]:
    """A client of the scheduler; for ``local``, of a scheduler started for this run."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(_silence())
        if scheduler == "local":
            stack.enter_context(_safe_children())
            scheduler = stack.enter_context(_local(max(1, min(os.cpu_count() or 1, tasks))))
        try:
            client = distributed.Client(scheduler, timeout=TIMEOUT)
        except (OSError, ValueError) as fault:
            raise ClusterError(f"no scheduler at {scheduler}: {fault}") from None
        stack.callback(_close, client)
        yield client


def _close(client: Any) -> None:
    """Leave the scheduler, which may be gone."""
    with contextlib.suppress(*_LOST):
        client.close(timeout=MOMENT)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Nothing of what the library logs, which may be long, is shown: a fault is one line."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _local(workers: int) -> Any:
    """A scheduler with workers on this machine."""
    try:
        with _unheard():
            _track()
            return distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=0,
                dashboard_address=":0",
                silence_logs=logging.CRITICAL,
            )
    except (OSError, RuntimeError) as fault:
        raise ClusterError(f"no workers can be started on this machine: {fault}") from None


def _track() -> None:
    """Start Python's process that frees what dead ones leave; it outlives the terminal."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        resource_tracker.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    """Processes that are started here print nothing, however they and this one end."""
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
