"""The console script ``dezero``; ``python -m dezero_cli`` is the same.

Ctrl-C ends the program without a traceback at any moment, also during the imports and Python's own
clean-up.  The threads of NumPy's OpenBLAS go to sleep as soon as they have nothing to do: by
default they spin first, which takes a tenth of a second of a core at every start.
"""

import os
import sys

import dezero_cli

dezero_cli.end_silently()  # also where the package did not see that it is the program

os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

_here = os.path.realpath(sys.path[0] or ".") if sys.path else ""
if _here == os.path.realpath(os.curdir) and not os.path.exists(f"{_here}/dezero_cli/__main__.py"):
    del sys.path[0]  # `python -m` put it there, and its files are no modules of this program

try:
    from dezero_cli.main import main
except (MemoryError, OSError) as fault:  # such as a limit of the process
    sys.exit(f"error: {fault or 'not enough memory'}")

if __name__ == "__main__":
    main()
