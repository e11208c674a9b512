"""Coverage-guided fuzzing: ``python -m tests.fuzz TARGET [libFuzzer's options]``.

The targets are in fuzz_targets.py.  For example
``python -m tests.fuzz lines -runs=1000000 -timeout=1 -rss_limit_mb=512``.  What it
finds is kept in tests/data/corpus, where the tests try it again.
"""

import sys
import tempfile


def main() -> None:
    """Run libFuzzer on a target; new inputs go to a folder of their own, crashes beside it."""
    import atheris

    with atheris.instrument_imports(include=["dezero_cli", "dezero.programs"]):
        from tests import fuzz_targets

    name = sys.argv.pop(1)
    found = tempfile.mkdtemp(prefix=f"fuzz-{name}-")
    options = [f"-artifact_prefix={found}/", found, str(fuzz_targets.CORPUS / name)]
    atheris.Setup([*sys.argv, *options], fuzz_targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
