"""Put faults into the code, one at a time, and count those that the tests catch.

python tests/mutants.py [NUMBER [SEED]]: so many of all the faults that cosmic-ray
makes, drawn at random. Each is put into a copy of the code. The tests of its module run
first, then all others that do not take long.
"""

import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cosmic_ray.plugins
from cosmic_ray.commands.init import _all_work_items
from cosmic_ray.mutating import mutate_code

ROOT = Path(__file__).parents[1]
MODULES = [
    *sorted(ROOT.glob("skmnist/_engine/[!_]*.py")),
    *(
        ROOT / "skmnist" / f"{name}.py"
        for name in (
            *("_data", "_estimator", "_images", "_parameters", "classifier"),
            *("preprocessing", "inspection", "distributed", "cli"),
        )
    ),
]
# Those of whole processes, pages and wheels.
SLOW = ["processes", "docs", "project", "conftest", "typing", "threads", "docstrings"]
# Types in annotations, which nobody evaluates.
POINTLESS = "ReplaceBinaryOperator_BitOr"
WORKERS = max(1, (os.cpu_count() or 1))


def draw_faults(number, seed):
    """Return so many faults: the module, the operator and its occurrence."""
    items = [
        mutation
        for item in _all_work_items(MODULES, {})
        for mutation in item.mutations
        if POINTLESS not in mutation.operator_name
    ]
    return random.Random(seed).sample(items, min(number, len(items))), len(items)


def run_tests(folder, *arguments, seconds):
    """Tell whether the tests fail, or take too long."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [*command, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode not in (0, 5)


def is_caught(folder, fault):
    """Put a fault into the code in a folder and tell whether the tests see it."""
    module = fault.module_path.relative_to(ROOT)
    operator = cosmic_ray.plugins.get_operator(fault.operator_name)()
    source = (ROOT / module).read_text()
    faulty = mutate_code(source, operator, fault.occurrence)
    if faulty is None or faulty == source:
        return True
    own = Path("tests", *module.parts[1:-1], f"test_{module.stem.strip('_')}.py")
    others = [f"--ignore=tests/test_{name}.py" for name in SLOW]
    (folder / module).write_text(faulty)
    try:
        return run_tests(folder, str(own), seconds=120) or run_tests(
            folder, "tests", f"--ignore={own}", *others, seconds=600
        )
    finally:
        (folder / module).write_text(source)


def main(number=300, seed=0):
    """Print each fault that survives, and the share that was caught."""
    faults, n_possible = draw_faults(int(number), int(seed))
    folders: queue.Queue[Path] = queue.Queue()
    with tempfile.TemporaryDirectory() as parent:
        for worker in range(WORKERS):
            folder = Path(parent) / str(worker)
            ignored = shutil.ignore_patterns(".*", "docs", "build", "dist")
            shutil.copytree(ROOT, folder, ignore=ignored)
            folders.put(folder)

        def judge(fault):
            folder = folders.get()
            try:
                return is_caught(folder, fault)
            finally:
                folders.put(folder)

        n_caught = 0
        with ThreadPoolExecutor(WORKERS) as pool:
            for fault, caught in zip(faults, pool.map(judge, faults), strict=True):
                n_caught += caught
                if not caught:
                    line, column = fault.start_pos
                    path = fault.module_path.relative_to(ROOT)
                    print(f"survives: {path}:{line}:{column} {fault.operator_name}")
                    print(f"  {path.read_text().splitlines()[line - 1].strip()}")
                    sys.stdout.flush()
    print(f"{n_caught} of {len(faults)} caught, drawn from {n_possible}")
    return 0 if n_caught >= 0.9 * len(faults) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
