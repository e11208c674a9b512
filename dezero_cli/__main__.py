"""The console script ``dezero``; ``python -m dezero_cli`` is the same.

Ctrl-C ends the program from its first moment to its last without a traceback, during the imports
and Python's own clean-up too.
"""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from dezero_cli.main import main

if __name__ == "__main__":
    main()
