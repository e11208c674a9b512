"""Parts of one work by several processes: in order, and all of them whatever dies."""

import os

import pytest

from dezero_cli.batch import parts


@pytest.mark.parametrize("jobs", [None, 1, 2, 3, 50])
def test_parts_come_in_order(jobs):
    assert list(parts.in_order(lambda i: b"%d" % i, 7, jobs)) == [b"%d" % i for i in range(7)]
    assert not list(parts.in_order(lambda i: b"", 0, jobs))


def test_a_part_whose_process_dies_is_done_by_this_one():
    here = os.getpid()

    def work(part):
        if part == 3 and os.getpid() != here:
            os._exit(1)
        return b"%d" % part

    assert list(parts.in_order(work, 8, 2)) == [b"%d" % i for i in range(8)]


def test_without_processes_this_one_does_all(monkeypatch):
    def refused(*args):
        raise OSError(11, "no more", "a worker process")

    monkeypatch.setattr(parts, "_Worker", refused)
    monkeypatch.setattr(parts, "ENOUGH", 0.0)
    monkeypatch.setattr(parts, "cores", lambda: 2)
    assert list(parts.in_order(lambda i: b"x", 3, None)) == [b"x"] * 3
    with pytest.raises(OSError):
        list(parts.in_order(lambda i: b"x", 3, 2))
