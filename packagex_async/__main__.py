"""`python -m packagex_async` runs the command `packagex-exports`."""

import sys

from packagex_async.cli import main

sys.exit(main())
