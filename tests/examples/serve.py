"""`python -m tests.examples.serve NAME`: one example service as a process of its own, for fault tests."""

import asyncio
import sys

from services.kernel.app import serve
from services.kernel.settings import read_settings
from tests.examples.services import SERVICES

if __name__ == "__main__":
    sys.exit(asyncio.run(serve(SERVICES[sys.argv[1]], read_settings())))
