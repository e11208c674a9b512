"""Tables in, tables out: what `dezero map` does."""

import os
import re

_NUMBERS = re.compile(r"POLARS_\w*(THREADS|SIZE|BUDGET|LIMIT)")
"""Settings of Polars that are numbers; it panics at those that are not, or that are zero."""


def _ignore_wrong_settings() -> None:
    for name, text in list(os.environ.items()):
        if _NUMBERS.fullmatch(name) and not re.fullmatch("0*[1-9][0-9]{0,8}", text):
            del os.environ[name]


_ignore_wrong_settings()  # before Polars is imported, which reads them once
