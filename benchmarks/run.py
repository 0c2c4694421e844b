"""Measure how long fitting takes: this package, its peers and the machine's floor.

Run `python benchmarks/run.py`; `--quick` takes less than a minute and shows only that
all is well. Each contestant has a process of its own, kept alive, and they take turns.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import datetime
import gc
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
from contestants import CONTESTANTS, GPU_CONTESTANTS, Contestant, Setting, scale

RESULTS = Path(__file__).parent / "results"
ALONE = Path(__file__).parent / "alone.py"
PACKAGES = (
    *("skmnist", "torch", "skorch", "scikit-learn", "jax", "jaxlib", "optax", "keras"),
    *("tensorflow", "tensorflow_cpu", "numpy"),
)

# In `gpu.py` those of the same name fit on a GPU.
ALL_CONTESTANTS = {**CONTESTANTS, **GPU_CONTESTANTS}
GROWTH_CONTESTANTS = ("skmnist", "jax", "by_hand", "sklearn", "skorch", "floor")
# Those who are timed to an accuracy, and as a whole process.
RIVALS = (
    *("skmnist", "jax", "keras_jax", "by_hand", "sklearn", "skorch"),
    "keras_tensorflow",
)
BFLOAT16_CONTESTANTS = ("skmnist", "skmnist_medium")
# What the processor says where it multiplies bfloat16 in hardware.
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
# A relative error that float32 stays far below, and bfloat16 far above.
BFLOAT16_ERROR = 1e-4
# Processes that are at work before we are; from here on they spoil the figures.
BUSY_LOAD = 0.5

# Whose threads an environment variable counts.
THREADED = ("OMP", "OPENBLAS", "MKL")
LEARNING_RATES = (5e-4, 1e-3, 2e-3)
ACCURACIES = (0.97, 0.98)
EPOCHS_ALONE = 5
# Of the search of twelve fits.
SEARCH_RATES = (5e-4, 1e-3, 2e-3, 4e-3)
SEARCH_ROWS, SEARCH_EPOCHS = 12_000, 10

# All load what they need in here, before anything is timed.
WARM_UP = Setting(n_rows=1_280)
# An epoch of few rows is too short to time alone.
ROWS_TO_TIME = 48_000

IMPORTS = {
    "skmnist": (
        "import skmnist\nfor name in skmnist.__all__:\n    getattr(skmnist, name)"
    ),
    "torch, skorch, sklearn": "import torch, skorch, sklearn",
}
IMPORT_TIMER = (
    "import time\nstart = time.perf_counter()\n{statement}\n"
    "print(time.perf_counter() - start)"
)
GRID_FOLDS = 3
N_DROPOUTS_IN_GRID = 10


# The figures of each of those who are compared.
Figures = dict[str, dict[str, float]]


class Mnist(NamedTuple):
    """Images of uint8 and their labels."""

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    `repeats` are the rounds of what limits are held against, `growth_repeats` those of
    the tables of growth.
    """

    repeats: int
    growth_repeats: int
    epochs_to_accuracy: int
    tables: dict[str, list[Setting]]
    n_prediction_calls: dict[int, int]
    n_candidates: int
    grid_rows: int
    name: str

    def contestants(self, table: str, present: list[str]) -> list[str]:
        """Return those who take part in a table."""
        wanted = {"W": present, "bfloat16": BFLOAT16_CONTESTANTS}
        return [
            name for name in wanted.get(table, GROWTH_CONTESTANTS) if name in present
        ]


def make_full_plan() -> Plan:
    """Return what the table in the documentation is made of."""
    small = Setting(n_rows=24_000, epochs=2)
    row_counts = (6_000, 12_000, 24_000, 48_000, 96_000, 240_000, 480_000)
    tables = {
        "W": [Setting(epochs=5)],
        "bfloat16": [Setting(hidden_layer_sizes=(1_024, 1_024), epochs=2)],
        "rows": [
            Setting(n_rows=n_rows, epochs=max(1, ROWS_TO_TIME // n_rows))
            for n_rows in row_counts
        ],
        "widths": [
            replace(small, hidden_layer_sizes=(width,))
            for width in (64, 128, 256, 512, 1_024, 2_048)
        ],
        "depths": [
            replace(small, hidden_layer_sizes=(256,) * depth) for depth in range(5)
        ],
        "batches": [
            replace(small, batch_size=batch_size)
            for batch_size in (32, 64, 128, 256, 512, 1_024, 2_048)
        ],
    }
    return Plan(
        repeats=7,
        growth_repeats=3,
        epochs_to_accuracy=12,
        tables=tables,
        n_prediction_calls={10_000: 50, 1: 2_000},
        n_candidates=100,
        grid_rows=2_000,
        name="benchmark",
    )


def make_quick_plan() -> Plan:
    """Return the least that goes through everything."""
    small = Setting(n_rows=6_000)
    tables = {
        "W": [Setting(n_rows=24_000)],
        "bfloat16": [Setting(n_rows=6_000, hidden_layer_sizes=(1_024, 1_024))],
        "rows": [replace(small, n_rows=n_rows) for n_rows in (6_000, 12_000)],
        "widths": [replace(small, hidden_layer_sizes=(n,)) for n in (64, 512)],
        "depths": [replace(small, hidden_layer_sizes=(256,) * n) for n in (0, 2)],
        "batches": [replace(small, batch_size=n) for n in (64, 512)],
    }
    return Plan(
        repeats=1,
        growth_repeats=1,
        epochs_to_accuracy=2,
        tables=tables,
        n_prediction_calls={10_000: 5, 1: 100},
        n_candidates=10,
        grid_rows=1_000,
        name="quick",
    )


def main() -> None:
    """Measure, and write the numbers, the tables and the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="take less than a minute")
    parser.add_argument(
        "--repeats", type=int, help="rounds of each table, instead of the plan's"
    )
    parser.add_argument(
        "--output", type=Path, default=RESULTS, help="folder to write to"
    )
    options = parser.parse_args()
    plan = make_quick_plan() if options.quick else make_full_plan()
    if options.repeats:
        repeats = options.repeats
        plan = replace(plan, repeats=repeats, growth_repeats=repeats)
    n_threads = joblib.cpu_count(only_physical_cores=True)
    prepare_environment(n_threads)
    mnist = load_mnist()
    present, notes = find_contestants()
    notes += find_load()
    stolen_before = read_stolen_time()
    with start_workers(present, mnist) as workers:
        records = measure_tables(plan, workers)
        records += measure_times_to_accuracy(plan, workers)
        records += measure_processes(plan, mnist, present)
        single, reasons = measure_single_figures(plan, workers["skmnist"])
        product_error = workers["skmnist_medium"].ask(measure_product_error)
    machine = describe_machine(n_threads, plan)
    machine["stolen"] = find_stolen_share(stolen_before)
    notes += [*reasons, describe_precision(machine["bfloat16"], product_error)]

    # Not at the top: the contestants' processes load this file, and need no pandas.
    import report

    report.write(records + single, notes, machine, options.output, name=plan.name)


def prepare_environment(n_threads: int) -> None:
    """Give all contestants the same threads, on the processor."""
    for library in THREADED:
        os.environ[f"{library}_NUM_THREADS"] = str(n_threads)
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(n_threads)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ["JAX_PLATFORMS"] = "cpu"


def load_mnist() -> Mnist:
    """Return MNIST as it is, or stop where there is none."""
    from skmnist import fetch_mnist

    try:
        train, test = (
            fetch_mnist(subset=name, return_X_y=True) for name in ("train", "test")
        )
    except OSError as error:
        sys.exit(f"There is nothing to fit: {str(error).splitlines()[0]}")
    return Mnist(*train, *test)


def find_contestants(
    contestants: dict[str, Contestant] = CONTESTANTS,
) -> tuple[list[str], list[str]]:
    """Return the contestants that are installed, and why others are left out."""
    present, notes = [], []
    for name, contestant in contestants.items():
        missing = contestant.find_missing()
        if missing:
            notes.append(
                f"{contestant.label} is left out, without {', '.join(missing)}."
            )
            log(notes[-1])
        else:
            present.append(name)
    return present, notes


def find_load() -> list[str]:
    """Return a warning where others are using the machine."""
    load = os.getloadavg()[0]
    if load <= BUSY_LOAD:
        return []
    warning = f"The machine was busy with {load:.1f} other processes at the start."
    log(warning)
    return [warning]


def measure_tables(plan: Plan, workers: dict[str, Worker]) -> list[dict]:
    """Let the contestants take turns at each table.

    In its turn a contestant goes through all settings, one right after the other: a
    machine can be slower for some seconds, and so its sizes share what it is like.
    """
    records = []
    for table, settings in plan.tables.items():
        names = plan.contestants(table, list(workers))
        for name in names:
            compile_programs(workers[name], name, settings)
        is_main = table in ("W", "bfloat16")
        repeats = plan.repeats if is_main else plan.growth_repeats
        for repeat in range(repeats):
            # The repeat is the seed, so accuracies are over so many seeds.
            seeded = [replace(setting, seed=repeat) for setting in settings]
            for name, setting in product(names, seeded):
                figures = workers[name].ask(measure_fit, name, setting)
                records += make_records(table, name, repeat, figures, setting)
                log(describe(table, repeat, repeats, name, setting, figures))
    return records


def compile_programs(worker: Worker, name: str, settings: list[Setting]) -> None:
    """Let a contestant compile what it compiles once for each size."""
    if ALL_CONTESTANTS[name].is_compiled:
        for setting in settings:
            worker.ask(measure_fit, name, replace(setting, epochs=1))


def measure_times_to_accuracy(plan: Plan, workers: dict[str, Worker]) -> list[dict]:
    """Let the contestants reach an accuracy, each with some learning rates."""
    records = []
    for rate in LEARNING_RATES:
        setting = Setting(epochs=plan.epochs_to_accuracy, learning_rate=rate)
        for name in RIVALS:
            if name in workers:
                compile_programs(workers[name], name, [setting])
                figures = workers[name].ask(measure_time_to_accuracy, name, setting)
                records += make_records("accuracy", name, 0, figures, setting)
                log(f"accuracy {rate:g} {name}: {figures}")
    return records


def measure_processes(plan: Plan, mnist: Mnist, present: list[str]) -> list[dict]:
    """Time whole processes: the imports, the data and a first fit."""
    records = []
    setting = Setting(epochs=EPOCHS_ALONE)
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "images.npy"), mnist.images)
        np.save(Path(folder, "labels.npy"), mnist.labels)
        for repeat, name in product(range(plan.repeats), RIVALS):
            if name not in present:
                continue
            command = [sys.executable, ALONE, name, folder, str(EPOCHS_ALONE)]
            start = time.perf_counter()
            run_quietly(command)
            figures = {"seconds": time.perf_counter() - start}
            records += make_records("process", name, repeat, figures, setting)
            log(f"process {repeat + 1}/{plan.repeats} {name}: {figures}")
    return records


def measure_single_figures(plan: Plan, worker: Worker) -> tuple[list[dict], list[str]]:
    """Measure prediction, memory, a grid search and the import.

    One that fails is left out with the reason, not to lose all the others.
    """
    jobs = {
        **{
            f"predict_{numbers[0]}": partial(worker.ask, measure_prediction, *numbers)
            for numbers in plan.n_prediction_calls.items()
        },
        "memory_float32": partial(worker.ask, measure_memory, "float32"),
        "memory_uint8": partial(worker.ask, measure_memory, "uint8"),
        "import": measure_imports,
        "grid": partial(worker.ask, measure_grid, plan.n_candidates, plan.grid_rows),
        "search": partial(worker.ask, measure_search),
    }
    records, reasons = [], []
    for table, job in jobs.items():
        # A search is long, and a mean over many fits in itself.
        repeats = 1 if table in ("grid", "search") else plan.repeats
        try:
            for repeat in range(repeats):
                for name, figures in job().items():
                    records += make_records(table, name, repeat, figures)
                    log(f"{table} {repeat + 1}/{repeats} {name}: {figures}")
        except RuntimeError as error:
            reasons.append(f"{table} is left out: {str(error).splitlines()[-1]}")
            log(reasons[-1])
    return records, reasons


def make_records(table, name, repeat, figures, setting=None) -> list[dict]:
    """Return a record for each figure."""
    values = {} if setting is None else asdict(setting)
    if setting is not None:
        values["hidden_layer_sizes"] = " ".join(map(str, setting.hidden_layer_sizes))
    return [
        {
            "table": table,
            "contestant": name,
            **values,
            "repeat": repeat,
            "quantity": quantity,
            "value": value,
        }
        for quantity, value in figures.items()
        if value is not None
    ]


def describe(table, repeat, repeats, name, setting, figures) -> str:
    """Return a line on one fit."""
    size = {
        "rows": f" {setting.n_rows}",
        "widths": " ".join(f" {width}" for width in setting.hidden_layer_sizes),
        "depths": f" {len(setting.hidden_layer_sizes)}",
        "batches": f" {setting.batch_size}",
    }.get(table, "")
    accuracy = figures["test_accuracy"]
    return (
        f"{table}{size} {repeat + 1}/{repeats} {name}: "
        f"{figures['seconds_per_epoch']:.3f} s an epoch"
        + (f", test accuracy {accuracy:.4f}" if accuracy is not None else "")
    )


class Worker:
    """A process of its own, kept alive, that does one job at a time."""

    def __init__(self, mnist: Mnist):
        context = multiprocessing.get_context("spawn")
        self.pipe, far_end = context.Pipe()
        # No daemon: those may not start the processes of a search.
        self.process = context.Process(target=serve, args=(far_end, mnist))
        self.process.start()
        far_end.close()

    def ask(self, job, *arguments):
        """Return what a function of this file returns over there."""
        self.send(job, *arguments)
        return self.receive()

    def send(self, job, *arguments):
        """Hand over a job."""
        self.pipe.send((job, arguments))

    def receive(self):
        """Wait for the result of the job."""
        try:
            is_done, result = self.pipe.recv()
        except EOFError:
            self.process.join()
            raise RuntimeError(
                f"A process ended with exit code {self.process.exitcode}."
            ) from None
        if not is_done:
            raise RuntimeError(result)
        return result


@contextlib.contextmanager
def start_workers(names: list[str], mnist: Mnist):
    """Start and warm up a process for each contestant, and end them all."""
    log(f"starting {len(names)} processes")
    workers = {name: Worker(mnist) for name in names}
    try:
        for name, worker in workers.items():
            worker.send(load_package, name)
        for worker in workers.values():
            worker.receive()
        # One after the other: their threads would fight for the cores.
        for name, worker in workers.items():
            worker.ask(measure_fit, name, WARM_UP)
        yield workers
    finally:
        for worker in workers.values():
            worker.process.terminate()


def serve(pipe, mnist: Mnist) -> None:
    """Do jobs until the other end goes away."""
    with contextlib.suppress(EOFError):
        while True:
            job, arguments = pipe.recv()
            try:
                pipe.send((True, job(mnist, *arguments)))
            except Exception:
                pipe.send((False, traceback.format_exc()))


def load_package(mnist: Mnist, name: str) -> None:
    """Import what takes long."""
    ALL_CONTESTANTS[name].load()


def measure_fit(mnist: Mnist, name: str, setting: Setting) -> dict[str, float | None]:
    """Return the time, test accuracy and peak memory of one fit."""
    contestant = ALL_CONTESTANTS[name]
    data = make_data(mnist, setting)
    before = forget_peak()
    start = time.perf_counter()
    fitted = contestant.fit(*data, setting)
    seconds = time.perf_counter() - start
    seconds -= 0.0 if fitted is None else fitted.compile_seconds
    peak = None if before is None else read_peak() - before
    del data
    return {
        "seconds_per_epoch": seconds / setting.epochs,
        "test_accuracy": measure_accuracy(mnist, contestant, fitted),
        "peak_bytes": peak if contestant.predict else None,
    }


def measure_time_to_accuracy(mnist: Mnist, name: str, setting: Setting) -> dict:
    """Return the seconds until the validation set is as well predicted as wanted."""
    start = time.perf_counter()
    fitted = CONTESTANTS[name].fit(*make_data(mnist, setting), setting)
    seconds = time.perf_counter() - start - fitted.compile_seconds
    accuracies = np.asarray(fitted.valid_accuracies)
    return {
        f"seconds_to_{accuracy:g}": (
            (np.argmax(accuracies >= accuracy) + 1) * seconds / setting.epochs
            if accuracies.max() >= accuracy
            else None
        )
        for accuracy in ACCURACIES
    }


def measure_accuracy(mnist, contestant, fitted) -> float | None:
    """Return the share of test images that are predicted as what they are."""
    if contestant.predict is None:
        return None
    predicted = contestant.predict(fitted.model, scale(mnist.test_images))
    return float(np.mean(predicted == mnist.test_labels))


def measure_prediction(mnist: Mnist, n_images: int, n_calls: int) -> Figures:
    """Return the time of `predict_proba` beside that of the bare torch module."""
    import torch

    model = CONTESTANTS["skmnist"].fit(*make_data(mnist, WARM_UP), WARM_UP).model
    module = model.module_.eval()
    images = scale(mnist.test_images[:n_images])

    def predict_bare():
        with torch.inference_mode():
            return module(torch.from_numpy(images)).softmax(dim=1).numpy()

    rivals = {
        "skmnist": partial(model.predict_proba, images),
        "bare module": predict_bare,
    }
    seconds = {name: [] for name in rivals}
    for _ in range(n_calls):
        for name, predict in rivals.items():
            start = time.perf_counter()
            predict()
            seconds[name].append(time.perf_counter() - start)
    return {
        name: {"seconds": statistics.median(values)} for name, values in seconds.items()
    }


def measure_memory(mnist: Mnist, dtype: str) -> Figures:
    """Return the peak above the data, in sizes of the float32 training set."""
    from sklearn.pipeline import make_pipeline

    from skmnist import ImageScaler, MNISTMLPClassifier

    model, X = MNISTMLPClassifier(max_epochs=1, random_state=0), mnist.images
    if dtype == "uint8":
        model = make_pipeline(ImageScaler(), model)
    else:
        X = scale(X)
    before = forget_peak()
    if before is None:
        raise RuntimeError("only Linux forgets a peak of memory")
    model.fit(X, mnist.labels)
    n_bytes = X.size * np.dtype(np.float32).itemsize
    return {"skmnist": {"peak_multiple": (read_peak() - before) / n_bytes}}


def measure_grid(mnist: Mnist, n_candidates: int, n_rows: int) -> Figures:
    """Return the share of a grid search that goes into training steps."""
    from sklearn.model_selection import GridSearchCV

    from skmnist import MNISTMLPClassifier

    X, y = scale(mnist.images[:n_rows]), mnist.labels[:n_rows]
    model = MNISTMLPClassifier(random_state=0)
    grid = {
        "learning_rate": np.geomspace(1e-4, 1e-2, n_candidates // N_DROPOUTS_IN_GRID),
        "dropout": np.linspace(0, 0.6, N_DROPOUTS_IN_GRID),
    }
    search = GridSearchCV(model, grid, cv=GRID_FOLDS)
    with time_training(type(model.fit(X, y).net_)) as durations:
        start = time.perf_counter()
        search.fit(X, y)
        seconds = time.perf_counter() - start
    share = sum(durations) / seconds
    return {"skmnist": {"seconds": seconds, "training_share": share}}


def measure_search(mnist: Mnist) -> Figures:
    """Return the time of a search of twelve fits: one process or two, and a peer."""
    import torch
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import GridSearchCV
    from sklearn.neural_network import MLPClassifier

    from skmnist import MNISTMLPClassifier

    for library in THREADED:  # joblib shares out the cores
        del os.environ[f"{library}_NUM_THREADS"]
    X, y = scale(mnist.images[:SEARCH_ROWS]), mnist.labels[:SEARCH_ROWS]
    ours = MNISTMLPClassifier(
        max_epochs=SEARCH_EPOCHS, validation_split=None, random_state=0
    )
    theirs = MLPClassifier(
        (256,), batch_size=128, max_iter=SEARCH_EPOCHS, random_state=0
    )
    our_grid = {"learning_rate": SEARCH_RATES}
    their_grid = {"learning_rate_init": SEARCH_RATES}
    n_threads = torch.get_num_threads()
    figures = {}
    for name, model, grid, n_jobs in (
        ("warm_up", ours, {"learning_rate": SEARCH_RATES[:2]}, 2),
        ("skmnist", ours, our_grid, 2),
        ("one_process", ours, our_grid, 1),
        ("sklearn", theirs, their_grid, 2),
    ):
        torch.set_num_threads(1 if n_jobs == 1 else n_threads)
        search = GridSearchCV(model, grid, cv=GRID_FOLDS, n_jobs=n_jobs, refit=False)
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            search.fit(X, y)
        figures[name] = {"seconds": time.perf_counter() - start}
    torch.set_num_threads(n_threads)
    del figures["warm_up"]
    return figures


@contextlib.contextmanager
def time_training(net_class):
    """Collect the seconds of the training part of each epoch of a skorch net."""
    original = net_class.run_single_epoch
    durations = []

    def run_single_epoch(net, iterator, training, *args, **kwargs):
        start = time.perf_counter()
        result = original(net, iterator, training, *args, **kwargs)
        if training:
            durations.append(time.perf_counter() - start)
        return result

    net_class.run_single_epoch = run_single_epoch
    try:
        yield durations
    finally:
        net_class.run_single_epoch = original


def measure_product_error(mnist: Mnist) -> float:
    """Return the relative error of a hidden layer's sums under "medium" precision."""
    import torch

    fitted = CONTESTANTS["skmnist_medium"].fit(*make_data(mnist, WARM_UP), WARM_UP)
    layer = fitted.model.module_.hidden_1
    images = torch.from_numpy(scale(mnist.images[:128]))
    with torch.inference_mode():
        exact = images.double() @ layer.weight.double().T + layer.bias.double()
        return float((layer(images) - exact).norm() / exact.norm())


def measure_imports() -> Figures:
    """Return the time to import in a new process."""
    return {
        name: {"seconds": time_import(statement)} for name, statement in IMPORTS.items()
    }


def time_import(statement: str) -> float:
    """Run a statement in a new process and return its seconds."""
    program = IMPORT_TIMER.format(statement=statement)
    return float(run_quietly([sys.executable, "-c", program]))


def run_quietly(command: list) -> str:
    """Run a command and return what it prints, or raise an error with its own."""
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise RuntimeError(answer.stderr.strip())
    return answer.stdout


def make_data(mnist: Mnist, setting: Setting) -> tuple[np.ndarray, ...]:
    """Return images and labels to fit, and to validate on; MNIST again and again."""
    rows = np.arange(setting.n_rows + setting.n_valid) % len(mnist.labels)
    X, y = scale(mnist.images[rows]), mnist.labels[rows]
    n_rows = setting.n_rows
    return X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:]


def forget_peak() -> int | None:
    """Return the resident bytes of now, or None where an earlier peak would stay."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):
        # Memory that a fit before has left free would hide what this one takes.
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return read_peak()


def read_peak() -> int:
    """Return the most bytes that were resident since they were last forgotten."""
    # Not ru_maxrss, which never falls, and begins with that of the parent.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def describe_machine(n_threads: int, plan: Plan) -> dict:
    """Return what the figures depend on."""
    name, flags = read_processor()
    return {
        "processor": name,
        "threads": n_threads,
        "bfloat16": bool(BFLOAT16_FLAGS & flags),
        "caches": read_caches(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: find_version(name) for name in PACKAGES},
        "date": datetime.date.today().isoformat(),
        "repeats": plan.repeats,
        "growth_repeats": plan.growth_repeats,
        "is_quick": plan.name == "quick",
    }


def describe_precision(has_bfloat16: bool, product_error: float) -> str:
    """Return what "medium" precision means here: bfloat16, or not."""
    processor = "has" if has_bfloat16 else "has no"
    used = "in bfloat16" if product_error > BFLOAT16_ERROR else "in float32"
    return (
        f'The processor {processor} bfloat16. With "medium" precision skmnist '
        f"multiplied {used}: the relative error of a product was {product_error:.1e}."
    )


def read_processor() -> tuple[str, set[str]]:
    """Return the name of the processor and what it can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine(), set()
    fields = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
    name = fields.get("model name", platform.machine()).strip()
    return name, set(fields.get("flags", fields.get("Features", "")).split())


def read_caches() -> str:
    """Return the caches of the first core, and which cores share each."""
    parts = []
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size, shared = (
            (index / name).read_text().strip()
            for name in ("level", "type", "size", "shared_cpu_list")
        )
        if kind != "Instruction":
            parts.append(f"L{level} {size} (cores {shared})")
    return ", ".join(parts)


def read_stolen_time() -> tuple[int, int] | None:
    """Return the ticks that the machine's host took away, and all ticks."""
    try:
        first = Path("/proc/stat").read_text().split("\n")[0]
    except OSError:
        return None
    ticks = [int(number) for number in first.split()[1:9]]
    return ticks[-1], sum(ticks)


def find_stolen_share(before: tuple[int, int] | None) -> float | None:
    """Return the share of the time since then that was taken away."""
    now = read_stolen_time()
    if before is None or now is None:
        return None
    return (now[0] - before[0]) / max(1, now[1] - before[1])


def find_version(package: str) -> str | None:
    """Return the version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return getattr(sys.modules.get(package), "__version__", None)


def log(message: str) -> None:
    """Say how far things are."""
    print(f"{time.perf_counter() - STARTED:7.1f} s  {message}", file=sys.stderr)


STARTED = time.perf_counter()

if __name__ == "__main__":
    main()
