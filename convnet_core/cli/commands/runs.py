"""The command `runs`: list, name, compare and delete runs, and keep notes on them."""

from __future__ import annotations

import argparse

from convnet_core.cli import resolve, tables
from convnet_core.cli.shared_flags import add_common
from convnet_core.cli.terminal import print_results
from convnet_core.jobs.overview import overviews
from convnet_core.jobs.side_by_side import side_by_side
from convnet_core.runs import library, names

EXAMPLE = "runs rename 20261123-101500-fast-strokes demo"
_RUN = "the run, by folder or title"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The actions; without one the runs are listed."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    rename = actions.add_parser(
        "rename",
        help="give a run a title; its folder keeps its name",
        epilog="example: python -m convnet_core runs rename 20261123-101500-fast-strokes demo",
    )
    rename.add_argument("name", help=_RUN)
    rename.add_argument("title", help='one line of text; "" goes back to a name from the settings and the time')
    notes = actions.add_parser(
        "notes",
        help="print or write the notes on a run",
        epilog='example: python -m convnet_core runs notes demo "a lower rate, for Monday"',
    )
    notes.add_argument("name", help=_RUN)
    notes.add_argument("text", nargs="?", help='the new notes; "" deletes them')
    compare = actions.add_parser(
        "compare",
        help="two runs side by side: settings that differ, results, speed, sizes of files",
        epilog="example: python -m convnet_core runs compare demo resnet18",
    )
    compare.add_argument("left", help=_RUN)
    compare.add_argument("right", help=_RUN)
    delete = actions.add_parser(
        "delete", help="delete runs with all their files", epilog="example: python -m convnet_core runs delete demo"
    )
    delete.add_argument("names", nargs="+", metavar="name", help=_RUN)
    for action in (rename, notes, compare, delete):
        add_common(action)


def execute(args: argparse.Namespace) -> int:
    """Carry out the action, or print the list of runs."""
    {"rename": _rename, "notes": _notes, "compare": _compare, "delete": _delete, None: _list}[args.action](args)
    return 0


def _rename(args: argparse.Namespace) -> None:
    run = resolve.named_run(args, args.name)
    names.rename_run(run, args.title)
    title = names.shown_names([run])[run.name]
    print_results(args, {"run": str(run.path), "title": title}, f"{resolve.short_path(run)} is now called {title}")


def _notes(args: argparse.Namespace) -> None:
    run = resolve.named_run(args, args.name)
    if args.text is not None:
        names.write_notes(run, args.text)
    notes = names.notes_of(run)
    print_results(args, {"run": str(run.path), "notes": notes}, notes or f"no notes on {resolve.short_path(run)}")


def _compare(args: argparse.Namespace) -> None:
    runs = [resolve.named_run(args, name) for name in (args.left, args.right)]
    found = side_by_side(*runs)
    titles = [names.shown_names([run])[run.name] for run in runs]
    content = {"runs": [run.name for run in runs], **found.to_json()}
    print_results(args, content, *tables.side_by_side(found, titles))


def _delete(args: argparse.Namespace) -> None:
    runs = [resolve.named_run(args, name) for name in args.names]  # if one does not exist, none is deleted
    library.delete_runs(runs)
    deleted = [run.name for run in runs]
    print_results(args, {"deleted": deleted}, f"deleted {', '.join(deleted)}")


def _list(args: argparse.Namespace) -> None:
    items = overviews(library.list_runs(resolve.root(args)))
    empty = f"no runs in {resolve.root(args)} yet; `python -m convnet_core pipeline` creates one"
    print_results(args, [item.to_json() for item in items], tables.runs(items) if items else empty)
