"""`python -m zlfeed`."""

from zlfeed.cli import main

if __name__ == "__main__":
    main()
