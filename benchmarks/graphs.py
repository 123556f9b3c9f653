"""Graph layout time for several kinds of graphs of 10 to 2,000 nodes.

    python -m benchmarks.graphs [--repeats 3]

`chain` is one node after another; `residual` adds skips over three nodes; `dense` connects each node to all earlier
ones in its block of 24; `skips` connects every third node to the first one; `wide` is 16 chains that start at one node;
in `tangled` each node reads from two of the previous 40.
"""

from __future__ import annotations

import argparse
import statistics
import time

from convnet_core.graphs.layout import Link, lay_out

SIZES = (10, 100, 500, 1000, 2000)


def chain(count: int) -> list[Link]:
    return [(node, node + 1) for node in range(count - 1)]


def residual(count: int) -> list[Link]:
    return chain(count) + [(node, node + 4) for node in range(0, count - 4, 4)]


def dense(count: int) -> list[Link]:
    blocks = [(other, node) for node in range(count) for other in range(node - node % 24, node - 1)]
    return chain(count) + blocks


def skips(count: int) -> list[Link]:
    return chain(count) + [(0, node) for node in range(3, count, 3)]


def wide(count: int) -> list[Link]:
    return [(max(0, node - 16), node) for node in range(1, count)]


def tangled(count: int) -> list[Link]:
    return [(max(0, node - step), node) for node in range(1, count) for step in (1 + node * 7 % 40, 1 + node * 13 % 11)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    print("seconds     " + "".join(f"{size:>8}" for size in SIZES) + "   time per node, 2000 vs. 100")
    for make in (chain, residual, dense, skips, wide, tangled):
        durations = {}
        for size in SIZES:
            links, times = make(size), []
            for _ in range(repeats):
                start = time.perf_counter()
                lay_out(size, links)
                times.append(time.perf_counter() - start)
            durations[size] = statistics.median(times)
        line = "".join(f"{seconds:8.3f}" for seconds in durations.values())
        print(f"{make.__name__:12}{line}   {durations[2000] / durations[100] / 20:.2f} ×", flush=True)


if __name__ == "__main__":
    main()
