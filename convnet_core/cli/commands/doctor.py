"""The command `doctor`. Plain prints: it has to work where libraries are missing, Rich among them."""

from __future__ import annotations

import argparse
import json

from convnet_core.doctor import examine


def doctor(args: argparse.Namespace) -> int:
    """Print all checks; 0 when all is well, else 2."""
    checks = examine()
    if getattr(args, "json", False):
        print(json.dumps([check.to_json() for check in checks], indent=1))
    else:
        for check in checks:
            print(f"{'✓' if check.ok else '✗'} {check.name:<26} {check.detail}")
            if check.fix:
                print(f"    fix: {check.fix}")
    return 0 if all(check.ok for check in checks) else 2
