"""Helpers of one test folder are importable from its tests."""

import sys
from pathlib import Path

for folder in ("rules", "unit", "property", "functional"):
    sys.path.insert(0, str(Path(__file__).parent / folder))
