#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The layers of src/README hold: a file uses its own folder and those above it in that list."""
import os
import re

src = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def layers():
    """The folders, from the bottom to the top."""
    with open(src + "/src/README", encoding="utf-8") as f:
        names = ["src/" + m for m in re.findall(r"^(\w+) {2,}\S", f.read(), re.M)]
    names.insert(names.index("src/comm") + 1, "pmi")
    return names + ["compat"]


def uses(path):
    """The files of this project that PATH includes."""
    with open(path, encoding="utf-8") as f:
        return re.findall(r'^#include "([^"]+/[^"]+)"', f.read(), re.M)


names = layers()
seen, wrong = set(), []
for number, folder in enumerate(names):
    for where, _, files in os.walk(f"{src}/{folder}"):
        for name in files:
            path = f"{where}/{name}"
            if not name.endswith((".c", ".h")):
                continue
            seen.add(folder)
            for used in uses(path):
                layer = next((i for i, n in enumerate(names) if used.startswith(n + "/")), None)
                if layer is None or layer > number:
                    wrong.append(f"{os.path.relpath(path, src)} includes {used}")

missing = [n for n in names if n not in seen and n != "src/python"]
for number, (name, problems) in enumerate([("each folder of src/README has sources", missing),
                                           ("no file uses a folder above its own", wrong)], 1):
    print(f"{'not ok' if problems else 'ok'} {number} - {name}")
    for p in problems:
        print(f"# {p}")
print("1..2")
