"""The console script ``dezero``; ``python -m dezero_cli`` is the same.

Ctrl-C ends the program without a traceback at any moment, also during the imports and Python's own
clean-up.  The threads of NumPy's OpenBLAS go to sleep as soon as they have nothing to do: by
default they spin first, which takes a tenth of a second of a core at every start.
"""

import os
import signal

os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from dezero_cli.main import main

if __name__ == "__main__":
    main()
