"""Measure fits on a GPU: this package, a loop in JAX, one in torch, and skorch.

Run `python benchmarks/gpu.py` where torch and JAX find a GPU; it takes some minutes.
Each contestant has a process of its own, kept alive, and they take turns.
"""

from __future__ import annotations

import argparse
import os
import platform
from dataclasses import replace
from itertools import product
from pathlib import Path

import pandas as pd
from contestants import GPU_CONTESTANTS, Setting
from report import format_table, replace_file
from run import (
    PACKAGES,
    RESULTS,
    find_contestants,
    find_version,
    load_mnist,
    log,
    make_records,
    measure_fit,
    read_processor,
    start_workers,
)

OURS, ON_CPU = "skmnist", "skmnist_cpu"
LABELS = {name: contestant.label for name, contestant in GPU_CONTESTANTS.items()}
LABELS[ON_CPU] = "skmnist, on the processor"
# Whose epoch takes so long that to copy the images to the GPU does not count.
ONE_EPOCH = ("skorch", ON_CPU)
for name in ONE_EPOCH:
    LABELS[name] += ", one epoch"
SETTINGS = [
    Setting(hidden_layer_sizes=sizes, batch_size=batch_size, epochs=5)
    for sizes in ((256,), (1_024, 1_024))
    for batch_size in (128, 4_096)
]


def main() -> None:
    """Measure, and write the figures and their page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="rounds")
    parser.add_argument("--device", default="cuda", help="where to fit")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder")
    options = parser.parse_args()
    # Else JAX takes three quarters of the memory, which the others need.
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    mnist = load_mnist()
    present, _ = find_contestants(GPU_CONTESTANTS)
    with start_workers(present, mnist) as workers:
        records = measure(workers, options.repeats, options.device)
    frame = pd.DataFrame(records)
    options.output.mkdir(parents=True, exist_ok=True)
    csv, page = frame.to_csv(index=False), format_page(frame, describe(options.device))
    replace_file(options.output / "gpu.csv", csv.encode())
    replace_file(options.output / "gpu.md", page.encode())


def measure(workers, n_rounds: int, device: str) -> list[dict]:
    """Let the contestants take turns, ours also on the processor."""
    records = []
    for setting in SETTINGS:
        warm_up(workers, replace(setting, device=device, epochs=1))
    turns = [(name, name, device) for name in workers] + [(ON_CPU, OURS, "cpu")]
    for repeat, setting, turn in product(range(n_rounds), SETTINGS, turns):
        label, name, where = turn
        n_epochs = 1 if label in ONE_EPOCH else setting.epochs
        own = replace(setting, device=where, epochs=n_epochs, seed=repeat)
        figures = workers[name].ask(measure_fit, name, own)
        figures.pop("peak_bytes", None)  # of the process, not of the GPU
        records += make_records("gpu", label, repeat, figures, own)
        log(f"round {repeat + 1}/{n_rounds}, {own}: {label} {figures}")
    return records


def warm_up(workers, setting: Setting) -> None:
    """Let all at once compile their programs and choose their kernels."""
    few = replace(setting, n_rows=10 * setting.batch_size)
    for name, worker in workers.items():
        is_compiled = GPU_CONTESTANTS[name].is_compiled
        worker.send(measure_fit, name, setting if is_compiled else few)
    for worker in workers.values():
        worker.receive()


def describe(device: str) -> str:
    """Return what the figures depend on."""
    import torch

    on = "no GPU" if device == "cpu" else torch.cuda.get_device_name(device)
    found = {name: find_version(name) for name in PACKAGES}
    versions = ", ".join(f"{name} {each}" for name, each in found.items() if each)
    return (
        f"{on}; {read_processor()[0]}, {os.cpu_count()} cores; "
        f"Python {platform.python_version()}, {versions}."
    )


def format_page(frame: pd.DataFrame, machine: str) -> str:
    """Return the page, in Markdown."""
    seconds, ratios, accuracies = summarize(frame)
    n_rounds = frame["repeat"].nunique()
    parts = [
        "# Benchmark on a GPU",
        machine,
        "MNIST, 48,000 images to train on and 12,000 to validate on, dropout 0.5, "
        "Adam, loss and accuracy of both sets after each epoch. The values are "
        f"medians of {n_rounds} rounds, in which the programs take turns; ratios "
        f"are computed within a round. The time of a fit of {SETTINGS[0].epochs} "
        "epochs, with the copy of the images to the GPU, is divided by their "
        "number. Compilation is not counted. Products are in float32, or in TF32 "
        "where it is said. Each column is a network and a batch size.",
        "## Seconds per epoch",
        format_table(seconds),
        "## Time relative to skmnist",
        format_table(ratios),
        describe_fastest(ratios),
        "## Test accuracy",
        format_table(accuracies),
    ]
    return "\n\n".join(parts) + "\n"


def describe_fastest(ratios: pd.DataFrame) -> str:
    """Return a sentence on what is the fastest in each column, in float32."""
    is_float32 = ~ratios["program"].str.endswith("TF32")
    fastest = ratios[is_float32].set_index("program").astype(float).idxmin()
    if fastest.nunique() == 1:
        return f"In float32, the fastest in each column is: {fastest.iloc[0]}."
    parts = [f"{program} ({setting})" for setting, program in fastest.items()]
    return f"In float32, the fastest are: {'; '.join(parts)}."


def summarize(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """Return seconds per epoch, ratios to ours within a round, and accuracies."""
    network = "784-" + frame["hidden_layer_sizes"].str.replace(" ", "-") + "-10"
    frame = frame.assign(
        program=pd.Categorical(frame["contestant"].map(LABELS), LABELS.values()),
        setting=network + ", " + frame["batch_size"].map("{:,}".format),
    )
    frame["setting"] = pd.Categorical(frame["setting"], frame["setting"].unique())
    wide = frame.pivot_table(
        index=["program", "repeat"],
        columns=["quantity", "setting"],
        values="value",
        observed=True,
    )
    seconds = wide["seconds_per_epoch"]
    ratios = seconds / seconds.loc[LABELS[OURS]]
    return [
        table.groupby("program", observed=True).median().reset_index()
        for table in (seconds, ratios, wide["test_accuracy"])
    ]


if __name__ == "__main__":
    main()
