"""`python -m packagex_async.cli` is `packagex-exports`."""

import sys

from packagex_async.cli import main

sys.exit(main())
