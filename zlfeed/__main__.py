"""`zlfeed`, and `python -m zlfeed`."""

import signal


def run() -> None:
    """The program's entry point. Until a command begins (commands.common.end), Ctrl-C just ends the process."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else the shell has it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from zlfeed import startup

    startup.loading()
    from zlfeed.cli import main

    main()


if __name__ == "__main__":
    run()
