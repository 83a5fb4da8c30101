"""The door of `carebus`: how it ends where a command cannot say it, because it was not yet there or cannot write.

| what happens | exit status |
| --- | --- |
| Ctrl-C before the command has begun, while its modules are imported | 130, without a word |
| the reader of a pipe has seen enough | 0 or 1, without a word |
| standard output is closed, or its disk full | 2, one line on stderr |
"""

import errno
import os
import sys

_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


def app() -> None:
    """Run the command of this process's arguments. Raises SystemExit."""
    if sys.stdout is None:  # Python's answer to a closed descriptor
        sys.exit(_said("standard output is closed; for no output: >/dev/null"))
    try:
        from services.cli import commands

        try:
            commands.app()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        _drop_output()
        sys.exit(0)
    except OSError as error:
        if error.filename is not None or error.errno not in _UNWRITABLE:
            raise
        _drop_output()
        sys.exit(_said(f"the output cannot be written: {error.strerror}"))


def _said(line: str) -> int:
    if sys.stderr is not None:
        sys.stderr.write(f"{line}\n")
    return 2


def _drop_output() -> None:
    """What is still in the buffer is not to fail once more when Python ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


if __name__ == "__main__":
    app()
