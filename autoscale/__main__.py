"""`python -m autoscale` is `autoscale`."""

from __future__ import annotations

import sys

from autoscale.cli import main

if __name__ == "__main__":
    sys.exit(main())
