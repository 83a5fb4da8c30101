"""`python -m tests.bench.serve NAME`: one of the measured services as a process of its own."""

import asyncio
import sys

from msgspec.structs import replace

from services.kernel.app import serve
from services.kernel.settings import read_settings
from tests.bench.work import LINES, TALLIES

if __name__ == "__main__":
    name = sys.argv[1]
    base = LINES if name.startswith("bench_lines") else TALLIES
    sys.exit(asyncio.run(serve(replace(base, name=name), read_settings())))
