"""The command `runs`: list, rename and delete runs."""

from __future__ import annotations

import argparse

from convnet_core.cli import resolve, tables
from convnet_core.cli.shared_flags import add_common
from convnet_core.cli.terminal import print_results
from convnet_core.jobs.overview import overview
from convnet_core.runs import library

EXAMPLE = "runs rename 20261123-101500-fast-strokes demo"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The actions `rename` and `delete`; without one the runs are listed."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    rename = actions.add_parser(
        "rename", help="rename a run", epilog="example: python -m convnet_core runs rename old-name demo"
    )
    rename.add_argument("name", help="the run, by name or folder")
    rename.add_argument("new_name")
    delete = actions.add_parser(
        "delete", help="delete runs with all their files", epilog="example: python -m convnet_core runs delete demo"
    )
    delete.add_argument("names", nargs="+", metavar="name", help="the run, by name or folder")
    for action in (rename, delete):
        add_common(action)


def execute(args: argparse.Namespace) -> int:
    """Carry out the action, or print the list of runs."""
    if args.action == "rename":
        run = library.rename_run(resolve.named_run(args, args.name), args.new_name)
        print_results(args, {"run": str(run.path)}, f"renamed to {resolve.short_path(run)}")
    elif args.action == "delete":
        runs = [resolve.named_run(args, name) for name in args.names]  # if one does not exist, none is deleted
        library.delete_runs(runs)
        names = [run.name for run in runs]
        print_results(args, {"deleted": names}, f"deleted {', '.join(names)}")
    else:
        overviews = [overview(run) for run in library.list_runs(resolve.root(args))]
        empty = f"no runs in {resolve.root(args)} yet; `python -m convnet_core pipeline` creates one"
        content = [item.to_json() for item in overviews]
        print_results(args, content, tables.runs(overviews) if overviews else empty)
    return 0
