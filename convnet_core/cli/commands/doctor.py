"""The command `doctor`. Plain prints: it has to work if libraries are missing, including Rich."""

from __future__ import annotations

import argparse
import json

from convnet_core.doctor import examine

EXAMPLE = "doctor"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """None but those of every command."""


def execute(args: argparse.Namespace) -> int:
    """Print all checks; 0 if they all pass, else 2."""
    checks = examine()
    if getattr(args, "json", False):
        print(json.dumps([check.to_json() for check in checks], indent=1))
    else:
        for check in checks:
            print(f"{'✓' if check.ok else '✗'} {check.name:<26} {check.detail}")
            if check.fix:
                print(f"    fix: {check.fix}")
    return 0 if all(check.ok for check in checks) else 2
