"""`python -m bkjob_async` is `bkjob`."""

import sys

from bkjob_async.cli.entry import main

sys.exit(main())
