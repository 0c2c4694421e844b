"""Put faults into the code, one at a time, and count those that the tests catch.

python tests/mutants.py [NUMBER [SEED]]: so many of all the faults that cosmic-ray
makes, drawn at random. Each is put into a copy of the code, where the tests run that
reach its line, the quickest first, for a minute, then all tests of its module. So a
fault that survives may still be caught by a slow test.
"""

import ast
import difflib
import os
import queue
import random
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, islice
from pathlib import Path

import coverage
from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import use_db

ROOT = Path(__file__).parents[1]
MODULES = [
    *sorted(ROOT.glob("skmnist/_engine/[!_]*.py")),
    *(
        ROOT / "skmnist" / f"{name}.py"
        for name in (
            *("_data", "_estimator", "_framing", "_images", "_parameters"),
            *("classifier", "preprocessing", "inspection", "distributed"),
            *("cli", "_training", "_prediction"),
        )
    ),
]
# Tests of whole processes, pages and projects, whose lines cannot be followed.
SLOW = ["processes", "docs", "project", "typing", "threads", "docstrings", "earlier"]
TESTS = ["tests", "skmnist", *(f"--ignore=tests/test_{name}.py" for name in SLOW)]
# Types in annotations, which nobody evaluates, and `==` in place of `is`.
POINTLESS = ("BinaryOperator_BitOr", "Operator_Is_Eq", "Operator_IsNot_NotEq")
N_WORKERS = os.cpu_count() or 1
MINUTE = 60
# The exit status of pytest when the named tests are not there.
NOT_FOUND = 4


def main(number=300, seed=0):
    """Print what becomes of each fault, and the share that was caught."""
    faults, n_possible = draw_faults(int(number), int(seed))
    with tempfile.TemporaryDirectory() as parent:
        copies = queue.Queue()
        for worker in range(N_WORKERS):
            copies.put(copy_project(Path(parent, str(worker))))
        copy = copies.get()
        reaching = find_reaching_tests(copy)
        copies.put(copy)

        def run_with_a_copy(fault):
            copy = copies.get()
            try:
                return is_caught(fault, copy, reaching)
            finally:
                copies.put(copy)

        n_caught = 0
        with ThreadPoolExecutor(N_WORKERS) as pool:
            outcomes = pool.map(run_with_a_copy, faults)
            for fault, caught in zip(faults, outcomes, strict=True):
                n_caught += caught
                print("caught:" if caught else "survives:", describe(fault), flush=True)
    print(f"{n_caught} of {len(faults)} caught, drawn from {n_possible}")
    return 0 if n_caught >= 0.9 * len(faults) else 1


def draw_faults(number, seed):
    """Return so many faults, and how many there are."""
    with use_db(":memory:") as session:
        init(MODULES, session, {})
        faults = [item.mutations[0] for item in session.work_items]
    faults = [
        fault
        for fault in faults
        if not any(name in fault.operator_name for name in POINTLESS)
    ]
    # The session is not sorted.
    faults.sort(key=lambda f: (str(f.module_path), f.operator_name, f.occurrence))
    random.Random(seed).shuffle(faults)
    return list(islice(filter(is_code, faults), number)), len(faults)


def is_code(fault):
    try:
        ast.parse(mutate(fault))
    except SyntaxError:  # of `*`, which is no product in a signature
        return False
    return True


def copy_project(folder):
    ignored = shutil.ignore_patterns(".*", "docs", "build", "dist")
    shutil.copytree(ROOT, folder, ignore=ignored)
    return folder


def find_reaching_tests(copy):
    """Return, for each module and line, the tests that run it, and their seconds."""
    options = ["--cov=skmnist", "--cov-context=test", "--cov-report=", "-vv"]
    done = run_pytest(copy, [*options, "--durations=0", *TESTS])
    if done.returncode:
        sys.exit(f"The tests fail before there is a fault:\n{done.stdout[-3000:]}")
    seconds = {}
    for line in done.stdout.splitlines():
        if timed := re.match(r"([\d.]+)s (?:call|setup|teardown) +(.+)", line):
            seconds[timed[2]] = seconds.get(timed[2], 0) + float(timed[1])
    measured = coverage.CoverageData(str(copy / ".coverage"))
    measured.read()
    reaching = {}
    for module in MODULES:
        path = module.relative_to(ROOT)
        lines = reaching[path] = {}
        contexts = measured.contexts_by_lineno(str(copy / path))
        for line, names in contexts.items():
            names = {name.rpartition("|")[0] for name in names}
            # A line that runs at import is everybody's.
            lines[line] = (
                seconds if "" in names else {n: seconds.get(n, 0) for n in names}
            )
    return reaching


def is_caught(fault, copy, reaching):
    """Put a fault into a copy of the code and tell whether the tests see it."""
    path = fault.module_path.relative_to(ROOT)
    own = Path("tests", *path.parts[1:-1], f"test_{path.stem.strip('_')}.py")
    # A statement of several lines is counted in its first ones.
    lines = [n for n in reaching[path] if n <= fault.start_pos[0]]
    seconds = reaching[path][max(lines)]
    quickest = sorted(seconds, key=seconds.get)
    ends = accumulate(map(seconds.get, quickest))
    names = copy.with_suffix(".tests")
    names.write_text(
        "\n".join(n for n, end in zip(quickest, ends, strict=True) if end < MINUTE)
    )
    source = (copy / path).read_text()
    (copy / path).write_text(mutate(fault))
    try:
        done = run_pytest(copy, ["-x", f"@{names}"], timeout=5 * MINUTE)
        if done.returncode == NOT_FOUND:
            done = run_pytest(copy, ["-x", *TESTS], timeout=10 * MINUTE)
        if done.returncode == 0:  # tests may reach the line in a process of their own
            done = run_pytest(copy, ["-x", str(own)], timeout=10 * MINUTE)
    except subprocess.TimeoutExpired:
        return True
    finally:
        (copy / path).write_text(source)
    return done.returncode != 0


def mutate(fault):
    operator = get_operator(fault.operator_name)()
    return mutate_code(fault.module_path.read_text(), operator, fault.occurrence)


def run_pytest(copy, arguments, timeout=None):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )


def describe(fault):
    path = fault.module_path.relative_to(ROOT)
    before = fault.module_path.read_text().splitlines()
    changes = [
        line
        for line in difflib.unified_diff(before, mutate(fault).splitlines(), n=0)
        if line[0] in "+-" and line[:3] not in ("+++", "---")
    ]
    return "\n".join([f"{path}:{fault.start_pos[0]}", *changes])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
