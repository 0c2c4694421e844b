"""The page of the benchmark, which is made from its records."""

from collections import defaultdict
from pathlib import Path

import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
if not BENCHMARKS.exists():
    pytest.skip(
        "unavailable here: benchmarks, which an sdist lacks", allow_module_level=True
    )
FIRST_TABLE = "## One epoch on MNIST"


@pytest.fixture
def its_folder(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.fixture
def report(its_folder):
    import report

    return report


@pytest.fixture
def gpu(its_folder):
    import gpu

    return gpu


def test_the_page_has_the_tables_of_its_records(report):
    records = pd.read_csv(
        BENCHMARKS / "results" / "benchmark.csv", dtype={"hidden_layer_sizes": str}
    )
    page = (BENCHMARKS / "results" / "benchmark.md").read_text(encoding="utf-8")
    machine = defaultdict(str, versions={}, stolen=None)

    made = report.format_page(report.add_sizes(records), [], machine)

    _, tables = page.split(FIRST_TABLE)
    assert made.split(FIRST_TABLE)[1].rstrip() == tables.rstrip()


@pytest.mark.parametrize(
    ("seconds", "sentence"),
    [
        ({64: 1.0, 128: 1.0}, "at all sizes."),
        ({64: 3.0, 128: 1.0}, "except at 64 units of the hidden layer."),
        (
            {64: 3.0, 128: 3.0},
            "except at 64 units of the hidden layer and at 128 units of the hidden "
            "layer.",
        ),
    ],
)
def test_the_sizes_at_which_another_is_faster_are_named(report, seconds, sentence):
    frame = pd.DataFrame(
        {
            "table": "widths",
            "contestant": contestant,
            "width": units,
            "repeat": 0,
            "quantity": "seconds_per_epoch",
            "value": value,
        }
        for units, ours in seconds.items()
        for contestant, value in {"skmnist": ours, "skorch": 2.0}.items()
    )

    said = report.describe_slower_sizes(frame)
    assert said.endswith(f"skmnist is the fastest {sentence}")


def test_the_page_of_a_gpu_has_the_tables_of_its_records(gpu):
    records = pd.read_csv(
        BENCHMARKS / "results" / "gpu.csv", dtype={"hidden_layer_sizes": str}
    )
    page = (BENCHMARKS / "results" / "gpu.md").read_text(encoding="utf-8")
    _, machine, *_ = page.split("\n\n")

    assert gpu.format_page(records, machine) == page


@pytest.mark.parametrize(
    ("ratios", "sentence"),
    [
        ({"skmnist": [1, 1], "jax": [2, 3]}, "each column is: skmnist."),
        ({"skmnist": [1, 1], "jax": [2, 0.5]}, "are: skmnist (small); jax (large)."),
        ({"skmnist": [1, 1], "jax, TF32": [0.5, 0.5]}, "each column is: skmnist."),
    ],
)
def test_the_fastest_on_a_gpu_is_named(gpu, ratios, sentence):
    columns = ["small", "large"]
    frame = pd.DataFrame.from_dict(ratios, orient="index", columns=columns)

    said = gpu.describe_fastest(frame.rename_axis("program").reset_index())
    assert said.endswith(sentence)
