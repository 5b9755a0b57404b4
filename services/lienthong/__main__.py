"""Runs the command line: `lienthong`, or `python -m lienthong`."""

from lienthong.cli.app import main

if __name__ == "__main__":
    main()
