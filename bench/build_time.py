#!/usr/bin/env python3
"""Measures what building costs: processor seconds of cold builds, side by side.

usage: build_time.py CHECKOUT... [--preset release] [--target dwell] [--rounds 1]

Each CHECKOUT is built into a new folder with a new, empty compiler cache, in turns. Printed for
each: the median of user + system seconds of all compilers, and its ratio to the first CHECKOUT.
"""

import argparse
import os
import resource
import statistics
import subprocess
import tempfile
from pathlib import Path


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def build(checkout, preset, target):
    with tempfile.TemporaryDirectory(prefix="dwell_build_") as folder:
        environment = dict(os.environ, CCACHE_DIR=f"{folder}/ccache")
        before = processor_seconds()
        for command in (["cmake", "--preset", preset, "-B", f"{folder}/build", "--log-level=WARNING"],
                        ["cmake", "--build", f"{folder}/build", "--target", target]):
            subprocess.run(command, cwd=checkout, env=environment, check=True,
                           stdout=subprocess.DEVNULL)
        return processor_seconds() - before


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkouts", nargs="+", type=Path, metavar="CHECKOUT")
    parser.add_argument("--preset", default="release")
    parser.add_argument("--target", default="dwell")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    seconds = {checkout: [] for checkout in options.checkouts}
    for _ in range(options.rounds):
        for checkout in options.checkouts:
            seconds[checkout].append(build(checkout, options.preset, options.target))
    first = statistics.median(seconds[options.checkouts[0]])
    for checkout in options.checkouts:
        median = statistics.median(seconds[checkout])
        print(f"{checkout}: {median:.0f} processor seconds, {median / first:.2f} of the first")


if __name__ == "__main__":
    main()
