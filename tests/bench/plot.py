# SPDX-License-Identifier: BSD-3-Clause
"""A plot of rate against number of jobs, by gnuplot."""
import shutil
import subprocess

from measure import Failure, Skip

SCRIPT = """
set terminal svg size 640,400 dynamic background "white"
set output "{path}"
set logscale x
set yrange [0:*]
set xlabel "jobs"
set ylabel "jobs per second"
set grid
set key off
plot "-" with linespoints pointtype 7 linewidth 2
"""


def rates(path, by_size):
    """BY_SIZE: {number of jobs: rate}, to an SVG file."""
    if not shutil.which("gnuplot"):
        raise Skip("gnuplot is not here: install the Debian package gnuplot-nox")
    points = "".join(f"{n} {rate}\n" for n, rate in sorted(by_size.items()))
    done = subprocess.run(["gnuplot"], input=SCRIPT.format(path=path) + points + "e\n", text=True,
                          capture_output=True, check=False)
    if done.returncode != 0:
        raise Failure(f"gnuplot: {done.stderr.strip()}")
