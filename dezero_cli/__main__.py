"""``python -m dezero_cli`` is the console script ``dezero``."""

from dezero_cli.main import main

if __name__ == "__main__":
    main()
