"""`python -m tracebridge`: the command line, where the script is not on the path."""

from tracebridge.cli import main

if __name__ == "__main__":
    main(prog_name="tracebridge")
