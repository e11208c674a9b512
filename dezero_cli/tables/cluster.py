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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

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

MANIFEST = "manifest.json"
"""The file that a complete folder has in addition to its parts."""

RUNNING = ".running.json"
"""The file that a folder has instead of the manifest while parts are missing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One task: a table, or some rows of it, and the file that its result is written to."""

    table: Tables
    path: str

    @property
    def name(self) -> str:
        """The name of the file in its folder."""
        return os.path.basename(self.path)

    def record(self, rows: int) -> dict[str, Any]:
        """What the manifest says about this part."""
        return {"part": self.name, "table": self.table.names[0], "rows": rows} | (
            {"from": self.table.rows[0], "to": self.table.rows[1]} if self.table.rows else {}
        )


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
    missing = [part for part in parts if not os.path.exists(part.path)]
    with output.signals(), contextlib.ExitStack() as stack:
        client = stack.enter_context(_client(scheduler, len(missing))) if missing else None
        _begin(place, command, parts, before)
        types = _types(client, parts, plan, form) if missing else None
        rows = _run(client, missing, plan, form, types) if missing else {}
    for part in parts:
        if part.name not in rows:
            rows[part.name] = mapping.row_count(Tables((part.path,), form))
    records = [part.record(rows[part.name]) for part in parts]
    total = sum(rows.values())
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
            yield Part(Tables((name,), tables.format), f"{folder}/{stem}.{form}")
            continue
        rows = mapping.row_count(Tables((name,), "parquet"))
        for start in range(0, rows, ROWS):
            end = min(start + ROWS, rows)
            piece = Tables((name,), "parquet", (start, end))
            yield Part(piece, f"{folder}/{stem}-{start:012}-{end:012}.{form}")


# ------------------------------------------------------------------------------------- the folder
def _before(place: Path, command: dict[str, Any], resume: bool) -> list[str]:
    """The parts that a folder may contain from an earlier run.

    Raises FileError if it contains anything else, or if it is not to be resumed.
    """
    if not place.exists():
        return []
    if not place.is_dir():
        raise FileError(str(place), "is not a folder: --scheduler writes its parts into a folder")
    before = _read_json(place / RUNNING) or _read_json(place / MANIFEST)
    if any(path.name != RUNNING for path in place.iterdir()) and not (resume and before):
        hint = "use --resume to continue" if before else "choose a new folder"
        raise FileError(str(place), f"the folder is not empty: {hint}")
    if resume and before and before["command"] != command:
        raise FileError(str(place), "its parts were written by a different command")
    return [Path(each["part"]).name for each in before["parts"]] if before else []


def _begin(
    place: Path, command: dict[str, Any], parts: Sequence[Part], before: Sequence[str]
) -> None:
    """Prepare the folder; of the earlier parts, keep those that this run would write too."""
    place.mkdir(parents=True, exist_ok=True)
    for name in set(before).difference(part.name for part in parts):
        (place / name).unlink(missing_ok=True)
    _sweep(place)
    _write_json(place / RUNNING, {"command": command, "parts": [p.record(-1) for p in parts]})
    (place / MANIFEST).unlink(missing_ok=True)


def _sweep(place: Path) -> None:
    """Remove what killed workers have left."""
    for path in place.glob(f".*{output.SUFFIX}"):
        path.unlink(missing_ok=True)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        raise FileError(str(path), "not a manifest") from None


def _write_json(path: Path, data: Any) -> None:
    with output.open_output(str(path)) as file:
        file.write(json.dumps(data, indent=1, ensure_ascii=False).encode() + b"\n")


# ------------------------------------------------------------------------------------ the cluster
def work(part: Part, plan: Plan, form: str, types: Types | None) -> int:
    """One task, on a worker: write a part and return the number of its rows."""
    return mapping.map_tables(part.table, plan, form, part.path, types=types)


def _types(client: Any, parts: Sequence[Part], plan: Plan, form: str) -> Types | None:
    """The types that fit all tables of text, if these are to become columns."""
    tables = [part.table for part in parts if part.table.format in SEPARATORS]
    if form in TEXT or not tables:
        return None
    types = Types(())
    for future in client.map(columnar.learnt, tables, plan=plan, pure=False):
        types.include(_result(future)[0])
    return types


def _run(
    client: Any, parts: Sequence[Part], plan: Plan, form: str, types: Types | None
) -> dict[str, int]:
    """Have the cluster write parts; return the number of rows of each."""
    progress = Progress(len(parts))
    rows: dict[str, int] = {}
    futures = {client.submit(work, part, plan, form, types, pure=False): part for part in parts}
    try:
        for future in distributed.as_completed(futures):
            part = futures[future]
            rows[part.name] = _result(future)
            progress.add(rows[part.name], 1)
            progress.show()
    finally:
        client.cancel(list(futures))
        progress.clear()
    return rows


def _result(future: Any) -> Any:
    """The result of a task."""
    try:
        return future.result()
    except distributed.KilledWorker:
        raise ClusterError("every worker that was given one of the tasks died") from None
    except ModuleNotFoundError as fault:
        raise ClusterError(f"{fault.name} is not installed on the cluster's workers") from None


@contextlib.contextmanager
def _client(scheduler: str, tasks: int) -> Iterator[Any]:
    """A client of the scheduler; for ``local``, of a scheduler started for this run."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        if scheduler == "local":
            scheduler = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=max(1, min(os.cpu_count() or 1, tasks)),
                    threads_per_worker=1,
                    memory_limit=0,
                    dashboard_address=":0",
                    silence_logs=logging.CRITICAL,
                )
            )
        try:
            client = stack.enter_context(distributed.Client(scheduler, timeout=TIMEOUT))
        except (OSError, ValueError) as fault:
            raise ClusterError(f"no scheduler at {scheduler}: {fault}") from None
        yield client
