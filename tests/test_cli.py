import contextlib
import re
import shlex
import subprocess
import sys
from functools import partial

import joblib
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    accuracy_score,
    classification_report,
)
from sklearn.pipeline import make_pipeline

from mirrors import DEAD, send
from skmnist import ImageGridDisplay, ImageScaler, __version__, load_model
from skmnist._training import load_images, write_results
from skmnist.cli import main, make_parser
from small_models import small

RESULTS = [
    *("confusion_matrix.png", "history.csv", "history.png", "misclassified.png"),
    *("model.joblib", "model.skmnist"),
]
QUICK = ["--hidden-layer-sizes", "32", "--max-epochs", "2", "--random-state", "0"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One run on the bundled digits: its folder and what it printed."""
    output = tmp_path_factory.mktemp("run") / "deep" / "results"
    command = [sys.executable, "-m", "skmnist", "--data", "digits", "--output", output]
    process = subprocess.run(
        [*map(str, command), *QUICK], check=True, capture_output=True, text=True
    )
    return output, process.stdout


def test_all_results_are_written_and_nothing_else(run):
    output, _ = run

    assert sorted(path.name for path in output.iterdir()) == RESULTS


def test_the_model_predicts_and_the_history_is_its_own(run):
    output, _ = run
    model = joblib.load(output / "model.joblib")
    history = pd.read_csv(output / "history.csv")

    assert model.predict(np.zeros((1, 8, 8))).shape == (1,)
    pd.testing.assert_frame_equal(history, model[-1].history_)


@pytest.mark.parametrize("name", [name for name in RESULTS if name.endswith("png")])
def test_the_pictures_show_something(run, name):
    picture = matplotlib.image.imread(run[0] / name)

    assert min(picture.shape[:2]) > 300
    assert picture.std() > 0.01


def test_data_model_training_and_evaluation_are_printed(run):
    lines = run[1].splitlines()

    assert "training images   1,437" in lines
    assert "rows and columns  8 x 8" in lines
    assert any(line.split() == ["total", "2410"] for line in lines)
    epochs = [line.split()[0] for line in lines if re.match(r" +[12] +0?\.?\d", line)]
    assert epochs[:2] == ["1", "2"]
    for figure in ("loss", "accuracy", "misclassification error"):
        assert any(re.fullmatch(rf"test {figure}: \d\.\d{{4}}", line) for line in lines)
    assert any("macro avg" in line for line in lines)
    assert f"wrote {run[0] / 'model.joblib'}" in lines


def test_the_figures_are_those_of_the_test_images(run):
    output, printed = run
    images = load_images("digits", data_home=None)
    predicted = joblib.load(output / "model.joblib").predict(images.X_test)

    accuracy = accuracy_score(images.y_test, predicted)
    report = classification_report(images.y_test, predicted, digits=3, zero_division=0)
    assert f"test accuracy: {accuracy:.4f}" in printed.splitlines()
    assert report in printed


def test_the_pictures_are_of_the_test_images(tmp_path, monkeypatch):
    images = load_images("digits", data_home=None)
    model = make_pipeline(ImageScaler(images.max_intensity), small())
    model.fit(images.X_train, images.y_train)
    drawn = []

    def note(draw, model, X, y, **options):
        drawn.append((X, y))
        return draw(model, X, y, **options)

    for display, name in [
        (ConfusionMatrixDisplay, "from_estimator"),
        (ImageGridDisplay, "from_misclassified"),
    ]:
        monkeypatch.setattr(display, name, partial(note, getattr(display, name)))

    write_results(model, images, tmp_path)

    assert len(drawn) == 2
    assert all(X is images.X_test and y is images.y_test for X, y in drawn)


def test_the_test_images_have_a_fifth_of_each_digit():
    images = load_images("digits", data_home=None)

    n_test, n_train = np.bincount(images.y_test), np.bincount(images.y_train)

    assert np.abs(n_test - (n_test + n_train) / 5).max() < 1


@pytest.mark.parametrize("data", ["digits", "mnist"])
def test_the_images_are_as_bright_as_they_are_said_to_be(data, data_home):
    images = load_images(data, data_home)

    assert np.max(images.X_train) == images.max_intensity
    assert images.X_train.shape[1] == np.prod(images.image_shape)


def test_options_that_are_not_given_are_left_to_the_classifier():
    options = vars(make_parser().parse_args([]))

    assert sorted(options) == ["data", "data_home", "output", "verbose"]


@pytest.mark.parametrize("command", [[], ["train"]])
def test_train_is_the_command_by_default(tmp_path, capsys, command):
    status = main([*command, *QUICK, "--data", "digits", "--output", str(tmp_path)])

    assert status == 0
    assert "test accuracy: " in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == RESULTS


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]])
def test_help_shows_both_commands(arguments, capsys):
    with pytest.raises(SystemExit):
        main(arguments)

    printed = capsys.readouterr().out
    assert "skmnist [train] [OPTION...]" in printed
    assert "skmnist predict MODEL IMAGE..." in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict"], "required: MODEL, IMAGE"),
        (["predict", "model", "image", "--max-epochs", "1"], "unrecognized arguments"),
        (["--max-epochs", "1", "predict"], "unrecognized arguments: predict"),
        (["evaluate"], "unrecognized arguments: evaluate"),
    ],
)
def test_a_mistaken_command_is_refused_at_once(arguments, words, capsys):
    with pytest.raises(SystemExit):
        main(arguments)

    assert words in capsys.readouterr().err


def test_the_safe_file_holds_the_same_model(run):
    X = load_images("digits", data_home=None).X_test
    model, pickled = (run[0] / f"model.{ending}" for ending in ("skmnist", "joblib"))

    expected = joblib.load(pickled).predict_proba(X)

    np.testing.assert_array_equal(load_model(model).predict_proba(X), expected)


def test_without_skops_there_is_no_safe_file(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    assert main([*QUICK, "--data", "digits", "--output", str(tmp_path)]) == 0

    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [name for name in RESULTS if name != "model.skmnist"]


def test_options_have_the_parameters_names_and_types():
    from skmnist import MNISTMLPClassifier

    arguments = (
        "--hidden-layer-sizes 64 32 --activation tanh --dropout 0.1 --optimizer sgd "
        "--learning-rate 0.1 --optimizer-params momentum=0.9 nesterov=1 "
        "--batch-size 32 --max-epochs 3 --validation-split 0.1 --early-stopping "
        "--patience 2 --class-weight balanced --device cpu --random-state 7"
    )

    options = vars(make_parser().parse_args(shlex.split(arguments)))

    assert options["hidden_layer_sizes"] == (64, 32)
    assert options["optimizer_params"] == {"momentum": 0.9, "nesterov": 1.0}
    parameters = {
        k: v for k, v in options.items() if k not in ("data", "data_home", "output")
    }
    assert MNISTMLPClassifier().get_params().keys() >= parameters.keys()


def test_no_hidden_layer_is_an_empty_tuple():
    options = make_parser().parse_args(["--hidden-layer-sizes"])

    assert options.hidden_layer_sizes == ()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--optimizer", "adma"],
        ["--data", "cifar"],
        ["--batch-size", "many"],
        ["--optimizer-params", "momentum"],
        ["--optimizer-params", "1=0.9"],
        ["--optimizer-params", "momentum=much"],
    ],
)
def test_a_mistyped_option_is_refused_at_once(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)

    assert stop.value.code == 2
    assert arguments[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--hidden-layer-sizes", "0"], ["--dropout", "1.5"]]
)
def test_a_wrong_parameter_ends_in_one_line_before_all_else(
    tmp_path, capsys, monkeypatch, arguments
):
    monkeypatch.setattr("skmnist._training.load_images", None)

    status = main([*arguments, "--output", str(tmp_path / "results")])

    assert status == 1
    printed = capsys.readouterr()
    assert re.match(r"skmnist: error: .* is not valid; give .*\n$", printed.err)
    assert printed.out == ""
    assert not (tmp_path / "results").exists()


def test_auto_falls_back_to_the_digits_and_says_so(tmp_path, capsys, replace_source):
    replace_source(mirrors=(DEAD,))
    home, output = tmp_path / "home", tmp_path / "results"

    status = main(["--data-home", str(home), "--output", str(output), *QUICK])

    assert status == 0
    printed = capsys.readouterr()
    assert "MNIST is unavailable: " in printed.err
    assert "Using scikit-learn's bundled 8x8 digits instead." in printed.err
    assert "rows and columns  8 x 8" in printed.out
    assert sorted(path.name for path in output.iterdir()) == RESULTS


@pytest.mark.parametrize(("data", "n_times"), [("auto", 1), ("mnist", 4)])
def test_auto_asks_the_mirrors_once_and_mnist_asks_again(
    tmp_path, replace_source, monkeypatch, data, n_times
):
    waits = []
    replace_source(mirrors=(DEAD,))
    monkeypatch.setattr("time.sleep", waits.append)

    with contextlib.suppress(OSError):
        load_images(data, data_home=tmp_path)

    assert len(waits) == n_times - 1


def test_mnist_does_not_fall_back(tmp_path, capsys, replace_source, monkeypatch):
    replace_source(mirrors=(DEAD,))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    arguments = ["--data", "mnist", "--data-home", str(tmp_path / "home")]

    assert main([*arguments, "--output", str(tmp_path / "results")]) == 1

    assert "train-images-idx3-ubyte.gz" in capsys.readouterr().err
    assert not (tmp_path / "results" / "model.joblib").exists()


@pytest.mark.parametrize(
    ("data", "names"),
    [("fashion-mnist", {"Coat", "Bag", "Sandal"}), ("kmnist", {"ki", "tsu", "wo"})],
)
@pytest.mark.usefixtures("files")
def test_the_report_and_the_pictures_have_the_names_of_the_classes(
    tmp_path, serve, capsys, monkeypatch, data, names
):
    serve(send)
    drawn = []
    for display in (ConfusionMatrixDisplay, ImageGridDisplay):
        monkeypatch.setattr(display, "plot", note_texts(display.plot, drawn))
    arguments = ["--data", data, "--data-home", str(tmp_path / "home"), *QUICK]

    assert main([*arguments, "--output", str(tmp_path / "results")]) == 0

    assert names <= set(capsys.readouterr().out.partition("test loss")[2].split())
    confusion, mistakes = drawn
    assert names <= confusion
    assert names & mistakes


def note_texts(plot, drawn):
    """Make a plot that also notes all words of its figure."""

    def plot_and_note(display, *args, **kwargs):
        plotted = plot(display, *args, **kwargs)
        texts = [text.get_text() for text in plotted.figure_.findobj(Text)]
        drawn.append(set(" ".join(texts).split()))
        return plotted

    return plot_and_note


def test_a_result_is_written_whole_or_not_at_all(tmp_path, monkeypatch, capsys):
    (tmp_path / "model.joblib").write_text("the model of yesterday")

    def dump(model, path):
        path.write_text("half")
        raise OSError("the disk is full")

    monkeypatch.setattr("joblib.dump", dump)

    assert main(["--data", "digits", "--output", str(tmp_path), *QUICK]) == 1

    assert "the disk is full" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["model.joblib"]
    assert (tmp_path / "model.joblib").read_text() == "the model of yesterday"


def test_ctrl_c_ends_without_a_traceback(tmp_path, monkeypatch, capsys):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("skmnist.MNISTMLPClassifier", interrupt, raising=False)

    assert main(["--data", "digits", "--output", str(tmp_path), *QUICK]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_help_and_version_import_nothing_heavy(capsys):
    code = (
        "import sys; from skmnist.cli import main\n"
        "for command in ([], ['predict']):\n"
        "    try: main([*command, '--help'])\n"
        "    except SystemExit: pass\n"
        "print(sorted({'torch', 'sklearn', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout

    assert printed.splitlines()[-1] == "[]"
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"skmnist {__version__}\n"


def test_the_package_has_its_public_names_and_no_others():
    import skmnist

    assert all(hasattr(skmnist, name) for name in skmnist.__all__)
    assert sorted([*skmnist.__all__, "__version__"]) == dir(skmnist)
    with pytest.raises(AttributeError, match="no attribute 'MLP'"):
        skmnist.MLP  # noqa: B018


@pytest.mark.parametrize("name", ["MNISTMLPClassifier", "misspelt"])
@pytest.mark.parametrize("is_enabled", [True, False])
def test_an_import_does_not_wait_for_the_garbage_collector(name, is_enabled):
    code = (
        "import contextlib, gc, skmnist\n"
        f"gc.enable() if {is_enabled} else gc.disable()\n"
        "before = gc.get_stats()\n"
        f"with contextlib.suppress(AttributeError): skmnist.{name}\n"
        "print(gc.isenabled(), gc.get_stats()[1:] == before[1:])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout

    assert printed.split() == [str(is_enabled), "True"]
