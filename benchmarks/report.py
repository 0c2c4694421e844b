"""From the records of a run to its CSV, its tables and its picture."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from contestants import CONTESTANTS

OURS, MEDIUM = "skmnist", "skmnist_medium"
FLOORS = ("floor", "floor_cold")
LABELS = {name: contestant.label for name, contestant in CONTESTANTS.items()}
N_PIXELS = 784

# What this package promises itself: upper limits, but for `grid`, a lower one.
EPOCH_LIMITS = {
    "jax": 0.85,
    "keras_jax": 0.75,
    "by_hand": 0.48,
    "sklearn": 0.43,
    "skorch": 0.27,
    "floor_cold": 1.30,
}
PROCESS_LIMITS = {"jax": 0.65, "keras_jax": 0.80}
MEDIUM_LIMITS = {"784-256-10": 0.80, "784-1024-1024-10": 0.60}
LIMITS = {
    "medium_accuracy": 0.002,
    "growth": 1.0,
    "linearity": 0.1,
    "predict_10000": 1.3,
    "predict_1": 3.0,
    "memory_float32": 0.25,
    "memory_uint8": 1.3,
    "grid": 0.8,
    "import": 1.1,
    "search_alone": 0.52,
    "search_sklearn": 0.60,
}

SINGLE_FIGURES = {
    "predict_10000": "`predict_proba` on 10,000 images, relative to the torch module",
    "predict_1": "`predict_proba` on one image, relative to the torch module",
    "import": "import of all public names, relative to `import torch, skorch, sklearn`",
    "memory_float32": "peak memory on top of float32 images, relative to these",
    "memory_uint8": "peak memory on top of uint8 images, relative to them in float32",
    "grid": "fraction of the time of a grid search that is spent in training steps",
    "search_alone": "12 fits with `n_jobs=2`, relative to `n_jobs=1` with one thread",
    "search_sklearn": "12 fits with `n_jobs=2`, relative to scikit-learn's classifier",
}
# Whose time that of ours is compared with.
RIVALS = {
    "predict_10000": "bare module",
    "predict_1": "bare module",
    "import": "torch, skorch, sklearn",
    "search_alone": "one_process",
    "search_sklearn": "sklearn",
}
# The tables of single figures that go by another name.
TABLES = {"search_alone": "search", "search_sklearn": "search"}

# For each table of growth: the size, what it is called, what stays the same.
GROWTH = {
    "rows": ("n_rows", "rows to fit", "784-256-10, batches of 128"),
    "widths": ("width", "units of the hidden layer", "784-width-10, batches of 128"),
    "depths": ("depth", "hidden layers of 256 units", "batches of 128"),
    "batches": ("batch_size", "rows of a batch", "784-256-10"),
}

# Okabe and Ito's colors, which the color-blind can tell apart, and a mark for each.
LOOKS = {
    "skmnist": ("#D55E00", "o"),
    "skmnist_medium": ("#E69F00", "P"),
    "jax": ("#000000", "*"),
    "keras_jax": ("#7F7F7F", "X"),
    "by_hand": ("#56B4E9", "v"),
    "sklearn": ("#009E73", "^"),
    "skorch": ("#0072B2", "s"),
    "keras_tensorflow": ("#CC79A7", "X"),
    "keras_torch": ("#E6B8D2", "X"),
    "data_loader": ("#F0E442", "D"),
    "floor": ("#555555", ""),
}
# The networks that "medium" precision is tried with.
NETWORKS = {"W": "784-256-10", "bfloat16": "784-1024-1024-10"}
DOTS_PER_INCH = 150


class Promise(NamedTuple):
    """A limit and what was measured."""

    claim: str
    measured: float
    limit: str
    is_kept: bool


def write(records: list[dict], notes: list[str], machine: dict, folder: Path, name):
    """Write `name`.csv, .md and .png, each one whole or not at all.

    Parameters
    ----------
    records : list of dict
        One for each measured value.
    notes : list of str
        What a reader must know of this run.
    machine : dict
        What the figures depend on.
    folder : Path
        Where to write; made where it is missing.
    name : str
        The name of the files.
    """
    frame = add_sizes(pd.DataFrame(records))
    folder.mkdir(parents=True, exist_ok=True)
    table = frame.drop(columns=["width", "depth"]).to_csv(index=False)
    replace_file(folder / f"{name}.csv", table.encode())
    replace_file(folder / f"{name}.md", format_page(frame, notes, machine).encode())
    draw(frame, machine, folder / f"{name}.png")
    print(f"Written: {folder / name}.csv, .md and .png")


def replace_file(path: Path, content: bytes) -> None:
    """Put a file in its place in one step."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    part = Path(file.name)
    part.chmod(0o644)
    part.replace(path)


def add_sizes(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the width and the depth of each network, and make whole numbers whole."""
    whole = ["n_rows", "batch_size", "epochs", "seed"]
    frame = frame.astype(dict.fromkeys(whole, "Int64"))
    sizes = frame["hidden_layer_sizes"].fillna("").str.split()
    width = sizes.map(lambda units: int(units[0]) if units else 0)
    return frame.assign(width=width, depth=sizes.map(len))


def summarize(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return the median of each quantity for each contestant of a table."""
    chosen = frame[frame["table"] == table]
    return chosen.pivot_table(
        index="contestant", columns="quantity", values="value", aggfunc="median"
    )


def find_ratio(frame, table, name, other, quantity="seconds_per_epoch") -> float:
    """Return the median, over the rounds, of one contestant's time of another's."""
    chosen = frame[(frame["table"] == table) & (frame["quantity"] == quantity)]
    rounds = chosen.pivot_table(index="repeat", columns="contestant", values="value")
    return (rounds[name] / rounds[other]).median()


def summarize_growth(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return the median seconds of an epoch for each size and contestant."""
    is_chosen = (frame["table"] == table) & (frame["quantity"] == "seconds_per_epoch")
    wide = frame[is_chosen].pivot_table(
        index=GROWTH[table][0], columns="contestant", values="value", aggfunc="median"
    )
    return wide[[name for name in LABELS if name in wide]]


def compare_growth(frame: pd.DataFrame, table: str) -> pd.Series:
    """Return our time of the quickest other's at each size: the median of rounds."""
    others = [name for name in LABELS if name not in (OURS, MEDIUM, *FLOORS)]
    ratios = {}
    for repeat, part in frame[frame["table"] == table].groupby("repeat"):
        seconds = summarize_growth(part, table)
        ratios[repeat] = seconds[OURS] / seconds[
            seconds.columns.intersection(others)
        ].min(axis="columns")
    return pd.DataFrame(ratios).median(axis="columns")


def describe_slower_sizes(frame: pd.DataFrame) -> str:
    """Return a sentence on the sizes at which another program is quicker."""
    sizes = [
        f"{size:,.0f} {what}"
        for table, (_, what, _) in GROWTH.items()
        for size, ratio in compare_growth(frame, table).items()
        if ratio > 1
    ]
    where = "except at " + " and at ".join(sizes) if sizes else "at all sizes"
    return f"By the ratios in the last columns, skmnist is the fastest {where}."


def compare(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the main table, quickest last; what is of another is so in each round."""
    summary = summarize(frame, "W")
    seconds = summary["seconds_per_epoch"]
    n_rows = frame.loc[frame["table"] == "W", "n_rows"].max()
    n_bytes = n_rows * N_PIXELS * np.dtype(np.float32).itemsize
    table = pd.DataFrame({"seconds per epoch": seconds})
    for other, label in (
        (OURS, "relative to skmnist"),
        ("floor_cold", "relative to the cold floor"),
    ):
        table[label] = [find_ratio(frame, "W", name, other) for name in seconds.index]
    table["process of 5 epochs, seconds"] = summarize(frame, "process")["seconds"]
    table["test accuracy"] = summary["test_accuracy"]
    if "peak_bytes" in summary:
        table["peak memory, MB"] = summary["peak_bytes"] / 1e6
        table["relative to the training set"] = summary["peak_bytes"] / n_bytes
    return table.sort_values("seconds per epoch", ascending=False)


def compare_times_to_accuracy(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the least seconds of each contestant until it is accurate, and how."""
    chosen = frame[frame["table"] == "accuracy"]
    columns = {}
    for quantity, part in chosen.groupby("quantity"):
        best = part.loc[part.groupby("contestant")["value"].idxmin()]
        best = best.set_index("contestant")
        accuracy = quantity.removeprefix("seconds_to_")
        columns[f"seconds to {accuracy}"] = best["value"]
        columns[f"learning rate ({accuracy})"] = best["learning_rate"]
    table = pd.DataFrame(columns)
    table = table.reindex([name for name in LABELS if name in table.index])
    return table.rename_axis("contestant")


def compare_precisions(frame: pd.DataFrame) -> pd.DataFrame:
    """Return time and accuracy in full precision and in bfloat16."""
    rows = {}
    for table, network in NETWORKS.items():
        chosen = frame[(frame["table"] == table) & frame["contestant"].isin(LABELS)]
        for name in (OURS, MEDIUM):
            values = chosen[chosen["contestant"] == name].groupby("quantity")["value"]
            accuracy = values.get_group("test_accuracy")
            rows[network, LABELS[name]] = {
                "seconds per epoch": values.median()["seconds_per_epoch"],
                "mean test accuracy": accuracy.mean(),
                "lowest": accuracy.min(),
                "highest": accuracy.max(),
                "seeds": len(accuracy),
            }
    result = pd.DataFrame.from_dict(rows, orient="index")
    return result.rename_axis(["network", ""]).reset_index()


def find_single_figures(frame: pd.DataFrame) -> dict[str, float]:
    """Return those of the single figures that were measured."""
    figures = {}
    for name in SINGLE_FIGURES:
        table = TABLES.get(name, name)
        if not (frame["table"] == table).any():
            continue
        if name in RIVALS:
            figures[name] = find_ratio(frame, table, OURS, RIVALS[name], "seconds")
        else:
            quantity = "training_share" if name == "grid" else "peak_multiple"
            figures[name] = summarize(frame, table).loc[OURS, quantity]
    return figures


def check_promises(frame: pd.DataFrame) -> list[Promise]:
    """Hold what was measured against the limits."""
    promises = [
        *_check_speed(frame),
        *_check_bfloat16(frame),
        *_check_growth(frame),
    ]
    for name, value in find_single_figures(frame).items():
        check = _at_least if name == "grid" else _at_most
        promises.append(check(SINGLE_FIGURES[name], value, LIMITS[name]))
    return promises


def _check_speed(frame):
    for table, quantity, what, limits in (
        ("W", "seconds_per_epoch", "time of an epoch", EPOCH_LIMITS),
        ("process", "seconds", "time of a process of 5 epochs", PROCESS_LIMITS),
    ):
        present = frame.loc[frame["table"] == table, "contestant"].unique()
        for other, limit in limits.items():
            if other in present:
                ratio = find_ratio(frame, table, OURS, other, quantity)
                yield _at_most(f"{what}, relative to {LABELS[other]}", ratio, limit)


def _check_bfloat16(frame):
    for table, network in NETWORKS.items():
        yield _at_most(
            f'time of an epoch, {network}, "medium" relative to full precision',
            find_ratio(frame, table, MEDIUM, OURS),
            MEDIUM_LIMITS[network],
        )
        chosen = frame[
            (frame["table"] == table) & (frame["quantity"] == "test_accuracy")
        ]
        accuracy = chosen.groupby("contestant")["value"].mean()
        yield _at_most(
            f'accuracy, {network}, "medium" minus full precision, absolute',
            abs(accuracy[MEDIUM] - accuracy[OURS]),
            LIMITS["medium_accuracy"],
        )


def _check_growth(frame):
    for table, (_, what, _) in GROWTH.items():
        yield _at_most(
            f"time of an epoch, relative to the fastest other: worst of all {what}",
            compare_growth(frame, table).max(),
            LIMITS["growth"],
        )
    yield _at_most(
        "change of the time per row from one number of rows to the next: worst of all",
        find_nonlinearity(frame),
        LIMITS["linearity"],
    )


def find_nonlinearity(frame: pd.DataFrame) -> float:
    """Return the largest change of our time a row from one number of rows to the next.

    A change is within a round, and the median over the rounds is taken of it.
    """
    rounds = {
        repeat: summarize_growth(part, "rows")[OURS]
        for repeat, part in frame[frame["table"] == "rows"].groupby("repeat")
    }
    seconds = pd.DataFrame(rounds)
    per_row = seconds.div(seconds.index, axis="index")
    return per_row.pct_change().median(axis="columns").abs().max()


def _at_most(claim, measured, limit):
    return Promise(claim, measured, f"at most {limit}", bool(measured <= limit))


def _at_least(claim, measured, limit):
    return Promise(claim, measured, f"at least {limit}", bool(measured >= limit))


def format_page(frame: pd.DataFrame, notes: list[str], machine: dict) -> str:
    """Return the tables as a page of Markdown."""
    parts = [
        "# Benchmark",
        describe_run(frame, machine),
        *(f"Note: {note}" for note in notes),
        "## One epoch on MNIST",
        format_table(name_programs(compare(frame))),
        "## Time to accuracy",
        "Seconds until the validation accuracy first reaches a value, with the best of "
        "three learning rates; an empty cell means that it was not reached. One round.",
        format_table(name_programs(compare_times_to_accuracy(frame))),
        "## Growth",
        describe_slower_sizes(frame),
    ]
    for table, (_, what, network) in GROWTH.items():
        parts += [
            f"Seconds per epoch by {what}; {describe_growth(frame, table, network)}.",
            format_table(format_growth(frame, table)),
        ]
    parts += [
        "## bfloat16",
        format_table(compare_precisions(frame)),
        "## Single figures",
        format_table(format_single_figures(frame)),
        "## Limits",
        "What this project aims at, and whether this run reached it.",
        format_table(format_promises(frame)),
    ]
    return "\n\n".join(parts) + "\n"


def describe_run(frame: pd.DataFrame, machine: dict) -> str:
    """Return what was measured, and on what."""
    main = frame[frame["table"] == "W"].iloc[0]
    versions = ", ".join(
        f"{name} {version}" for name, version in machine["versions"].items() if version
    )
    quick = " A quick run: too short to compare by." if machine["is_quick"] else ""
    bfloat16 = "with" if machine["bfloat16"] else "without"
    share = machine["stolen"]
    stolen = "" if share is None else f"the host took away {share:.1%} of the time; "
    return (
        f"{machine['date']}: {machine['processor']}, {machine['threads']} cores and as "
        f"many threads, {bfloat16} bfloat16; {machine['caches']}; {stolen}"
        f"{machine['system']}; Python "
        f"{machine['python']}; {versions}.\n\n"
        f"MNIST, {main['n_rows']:,} images to train on and {main['n_rows'] // 4:,} to "
        f"validate on, a 784-256-10 network, dropout {main['dropout']}, batches of "
        f"{main['batch_size']}, Adam, loss and accuracy of both sets after each "
        f"epoch. The values are medians of {machine['repeats']} rounds, or of "
        f"{machine['growth_repeats']} in the tables of growth. In a round the "
        "programs take turns, each in a process of its own; ratios are computed within "
        "a round. The time of a fit is divided by its number of epochs, here "
        f"{main['epochs']}, and does not include compilation; the time of a whole "
        "process includes compilation and imports. Memory is the peak in addition to "
        "the data. The floor is the time of the matrix products of the training steps "
        "alone; the cold floor uses 64 copies of all arrays in turn, too many for the "
        f"caches of a core.{quick}"
    )


def name_programs(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with a column of what each program is called."""
    return table.rename(index=LABELS).rename_axis("program").reset_index()


def describe_growth(frame: pd.DataFrame, table: str, network: str) -> str:
    """Return what stays the same in a table of growth."""
    if table == "rows":
        return network
    n_rows = frame.loc[frame["table"] == table, "n_rows"].max()
    return f"{network}, {n_rows:,.0f} rows to fit"


def format_growth(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return a table of growth with a column of ratios."""
    seconds = summarize_growth(frame, table)
    ratio = compare_growth(frame, table)
    result = seconds.rename(columns=LABELS).assign(
        **{"skmnist relative to the fastest other": ratio}
    )
    result.index = [f"{size:,.0f}" for size in seconds.index]
    return result.rename_axis(GROWTH[table][1]).reset_index()


def format_single_figures(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table of the figures that are one number each."""
    figures = find_single_figures(frame)
    texts = [SINGLE_FIGURES[name] for name in figures]
    return pd.DataFrame({"figure": texts, "value": figures.values()})


def format_promises(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table of the limits."""
    promises = pd.DataFrame(check_promises(frame))
    kept = promises.pop("is_kept").map({True: "yes", False: "no"})
    return promises.assign(kept=kept)


def format_table(table: pd.DataFrame) -> str:
    """Return a table in Markdown, numbers to four digits."""
    lines = [list(map(str, table.columns)), ["---"] * len(table.columns)]
    lines += [[format_value(value) for value in row] for row in table.to_numpy()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def format_seconds(seconds: float) -> str:
    """Return seconds for the picture; nothing where they are missing."""
    return "" if pd.isna(seconds) else f"{seconds:.1f} s"


def format_value(value) -> str:
    """Return a value for a table; nothing where it is missing."""
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return ""
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.4f}"


def draw(frame: pd.DataFrame, machine: dict, path: Path) -> None:
    """Draw the main table as bars, and growth as four small panels."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    with plt.rc_context({"font.size": 10, "axes.titlesize": 11}):
        figure = plt.figure(figsize=(12, 8.4), layout="constrained")
        upper, lower = figure.subfigures(2, 1, height_ratios=[1, 1.05])
        draw_bars(upper.subplots(), compare(frame))
        panels = lower.subplots(1, len(GROWTH))
        for axes, table in zip(panels, GROWTH, strict=True):
            draw_growth(axes, summarize_growth(frame, table), table)
        panels[0].set_ylabel("seconds per epoch")
        legend = panels[0].get_legend_handles_labels()
        lower.legend(*legend, loc="outside lower center", ncols=3, frameon=False)
        processor = f"{machine['processor']}, {machine['threads']} cores"
        figure.suptitle(f"Fitting a 784-256-10 network to MNIST ({processor})")
        part = path.with_name(f".{path.name}.part")
        figure.savefig(part, dpi=DOTS_PER_INCH, format="png")
        plt.close(figure)
    part.replace(path)


def draw_bars(axes, table: pd.DataFrame) -> None:
    """Draw a bar for each contestant, its accuracy beside it, and the floor."""
    is_bar = ~table.index.isin(FLOORS)
    bars = table[is_bar]
    seconds = bars["seconds per epoch"]
    positions = np.arange(len(bars))[::-1]
    axes.barh(positions, seconds, color=[LOOKS[name][0] for name in bars.index])
    axes.set_yticks(positions, [LABELS[name] for name in bars.index])
    columns = {
        "relative": bars["relative to skmnist"].map("{:.2f}".format),
        "process of 5 epochs": bars["process of 5 epochs, seconds"].map(format_seconds),
        "test accuracy": bars["test accuracy"].map("{:.3f}".format),
    }
    for position, value in zip(positions, seconds, strict=True):
        axes.text(value, position, f" {value:.2f} s", va="center")
    beside = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
    for edge, (title, texts) in zip((0.72, 0.88, 1.0), columns.items(), strict=True):
        axes.text(edge, len(bars), title, color="0.3", **beside)
        for position, text in zip(positions, texts, strict=True):
            axes.text(edge, position, text, **beside)
    if not is_bar.all():
        floor = table.loc["floor_cold", "seconds per epoch"]
        axes.axvline(floor, color="0.3", linestyle="--", linewidth=1)
        axes.annotate(
            "floor: the matrix products alone, weights cold",
            (floor, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, 3),
            textcoords="offset points",
            color="0.3",
        )
    ticks = axes.get_xticks()
    axes.set_xticks(ticks[ticks <= seconds.max()])
    axes.set_xlim(0, seconds.max() * 1.75)
    axes.set_xlabel("seconds per epoch", loc="left")
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def draw_growth(axes, seconds: pd.DataFrame, table: str) -> None:
    """Draw seconds over size, both logarithmic; depth begins with 0 and is linear."""
    from matplotlib.ticker import LogLocator, NullLocator

    for name in seconds:
        color, marker = LOOKS[name]
        axes.plot(
            seconds.index,
            seconds[name],
            color=color,
            marker=marker,
            markersize=5,
            linestyle="--" if name in FLOORS else "-",
            linewidth=2 if name == OURS else 1.2,
            label=LABELS[name].split(":")[0].removesuffix(" (no dropout)"),
            zorder=3 if name == OURS else 2,
        )
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    if table == "depths":
        axes.set_xticks(seconds.index)
    else:
        axes.set_xscale("log")
        ticks = seconds.index[:: -(-len(seconds) // 4)]
        axes.set_xticks(ticks, [format_size(tick) for tick in ticks])
        axes.set_xticks([], minor=True)
    axes.set_xlabel(GROWTH[table][1])
    axes.grid(axis="y", color="0.92")
    axes.spines[["top", "right"]].set_visible(False)


def format_size(size: float) -> str:
    """Return a number that fits under a small panel."""
    return f"{size / 1000:.0f}k" if size >= 6_000 else f"{size:.0f}"
