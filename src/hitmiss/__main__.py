"""The console script: runs the command line, and turns every error into one sentence and an exit code."""

from __future__ import annotations

import gc
import sys

from hitmiss.errors import CANCELED, HitmissError

_RARELY = 50_000


def main() -> None:
    """Run hitmiss. Whatever goes wrong, a traceback goes to a file, not to the terminal."""
    # Next to nothing here is freed by the collector of cycles, and at Python's own threshold of 700 all imports wait
    # for it, and keys while many steps run.
    gc.set_threshold(_RARELY, 10, 10)
    try:
        import click

        from hitmiss.cli import main as command_line

        try:
            sys.exit(command_line.main(prog_name="hitmiss", standalone_mode=False))
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            sys.exit(CANCELED)
    except HitmissError as error:
        sys.stderr.write(f"hitmiss: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(CANCELED)
    except Exception as error:  # noqa: BLE001 - the last resort: what no room expected is kept in a file, not shown
        from hitmiss.crash import keep

        sys.stderr.write(f"hitmiss: {keep(error)}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
