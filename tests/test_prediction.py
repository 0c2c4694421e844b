import json

import joblib
import numpy as np
import pytest
from PIL import Image
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skmnist import ImageCenterer, ImageScaler, save_model
from skmnist._prediction import (
    Prediction,
    find_centerer,
    format_predictions,
    frame_for,
)
from skmnist.cli import main
from small_models import small

pytest.importorskip("skops")

FLAT = np.full((90, 120), 220, np.uint8)
FLAT[40:48, 20:90] = 30
IMAGES = [FLAT, FLAT.T] * 5
LABELS = ["flat", "upright"] * 5


def fit(*steps):
    """Return a model of lines that lie or stand."""
    X = IMAGES
    if not any(isinstance(step, ImageCenterer) for step in steps):
        X = ImageCenterer().transform(IMAGES)
    return make_pipeline(*steps, LogisticRegression()).fit(X, LABELS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of models and of images."""
    folder = tmp_path_factory.mktemp("lines")
    model = fit(ImageScaler())
    save_model(model, folder / "model.skmnist")
    save_model(fit(ImageCenterer(), ImageScaler()), folder / "framing.skmnist")
    joblib.dump(model, folder / "model.joblib")
    Image.fromarray(FLAT).save(folder / "flat.png")
    Image.fromarray(FLAT.T).convert("RGB").save(folder / "upright.jpg")
    Image.new("L", (50, 50)).save(folder / "blank.png")
    (folder / "text.png").write_text("no image")
    return folder


def predict(folder, model, *arguments):
    paths = [each if each[:2] == "--" else str(folder / each) for each in arguments]
    return main(["predict", str(folder / model), *paths])


@pytest.mark.parametrize("model", ["model.skmnist", "framing.skmnist"])
def test_each_image_gets_a_line(folder, capsys, model):
    assert predict(folder, model, "flat.png", "upright.jpg") == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    for line, name in zip(
        lines, ["flat.png: flat", "upright.jpg: upright"], strict=True
    ):
        start, _, probability = line.rpartition(" ")
        assert start == str(folder / name)
        assert 0.5 < float(probability.strip("()")) <= 1


def test_json_is_a_list_of_objects(folder, capsys):
    assert predict(folder, "model.skmnist", "upright.jpg", "--json") == 0

    (prediction,) = json.loads(capsys.readouterr().out)
    assert prediction.keys() == {"path", "label", "probability"}
    assert prediction["path"] == str(folder / "upright.jpg")
    assert prediction["label"] == "upright"
    assert 0.5 < prediction["probability"] <= 1


def test_labels_that_json_does_not_know_are_text():
    predictions = [Prediction("a.png", np.int64(3), 0.5)]

    (printed,) = json.loads(format_predictions(predictions, as_json=True))

    assert printed["label"] == "3"


def test_labels_of_numbers_are_numbers_in_json(folder, tmp_path, capsys):
    X = ImageCenterer().transform(IMAGES)
    model = LogisticRegression().fit(X / 255, [3, 7] * 5)
    save_model(model, tmp_path / "model")

    assert (
        main(["predict", str(tmp_path / "model"), str(folder / "flat.png"), "--json"])
        == 0
    )

    assert json.loads(capsys.readouterr().out)[0]["label"] == 3


def test_a_pickle_is_loaded_only_with_trust(folder, capsys, monkeypatch):
    assert predict(folder, "model.joblib", "flat.png", "--trust") == 0
    assert "flat.png: flat (" in capsys.readouterr().out
    monkeypatch.setattr("joblib.load", None)

    assert predict(folder, "model.joblib", "flat.png") == 1

    assert "runs the code that it contains; use --trust if" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["model.skmnist", "framing.skmnist"])
def test_what_is_no_image_is_named_and_the_others_are_predicted(folder, capsys, model):
    names = ["missing.png", "blank.png", "flat.png", "text.png"]

    assert predict(folder, model, *names, "--json") == 1

    printed = capsys.readouterr()
    assert [each["label"] for each in json.loads(printed.out)] == ["flat"]
    lines = printed.err.splitlines()
    assert lines[0].endswith("missing.png: No such file or directory")
    assert lines[1].endswith("blank.png: the image is blank.")
    assert "text.png: cannot identify image file" in lines[2]
    assert len(lines) == 3


def test_without_any_image_nothing_is_printed(folder, capsys):
    assert predict(folder, "model.skmnist", "missing.png") == 1

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["missing.skmnist", "flat.png", "missing.joblib"])
def test_what_is_no_model_ends_in_one_line(folder, capsys, name):
    assert predict(folder, name, "flat.png", "--trust") == 1

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("skmnist: error: ")
    assert name in lines[0]


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x04\x95"])
def test_a_damaged_pickle_ends_in_one_line(folder, tmp_path, capsys, content):
    (tmp_path / "model.joblib").write_bytes(content)

    assert predict(folder, tmp_path / "model.joblib", "flat.png", "--trust") == 1

    assert "model.joblib cannot be loaded: " in capsys.readouterr().err


def test_a_model_without_probabilities_is_named(folder, tmp_path, capsys):
    save_model(ImageScaler(1).fit(np.eye(4)), tmp_path / "model.skmnist")

    status = main(
        ["predict", str(tmp_path / "model.skmnist"), str(folder / "flat.png")]
    )

    assert status == 1
    assert "no fitted classifier with predict_proba" in capsys.readouterr().err


def test_photos_are_turned_as_the_camera_says(folder, tmp_path, capsys):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.fromarray(FLAT).save(tmp_path / "photo.jpg", exif=exif)

    assert predict(folder, "model.skmnist", str(tmp_path / "photo.jpg")) == 0

    assert "photo.jpg: upright (" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:X has intensities up to")
@pytest.mark.parametrize(
    ("steps", "largest"), [((ImageScaler(),), 255), ((ImageScaler(16),), 16), ((), 1)]
)
def test_frames_have_the_intensities_that_the_model_takes(steps, largest):
    X = frame_for(fit(*steps), Image.fromarray(FLAT))

    assert X.shape == (1, 784)
    assert X.max() == pytest.approx(largest)


def test_a_scaler_deep_in_a_model_is_found():
    pipeline = make_pipeline(ImageScaler(16), LogisticRegression())
    model = VotingClassifier([("pipeline", pipeline)], voting="soft")
    model.fit(ImageCenterer().transform(IMAGES) * (16 / 255), LABELS)

    X = frame_for(model, Image.fromarray(FLAT))

    assert X.max() == pytest.approx(16)


@pytest.mark.parametrize(
    "kind", [lambda gray: gray > 99, lambda gray: gray.astype(np.uint16) * 257]
)
def test_images_of_other_ranges_suit_a_model_that_frames(kind):
    model = fit(ImageCenterer(), ImageScaler())

    X = frame_for(model, Image.fromarray(kind(FLAT)))

    assert model[0].transform(X).max() == pytest.approx(255)


def test_the_frame_has_the_size_of_the_models_images():
    model = LogisticRegression().fit(np.eye(64), np.arange(64) % 2)

    assert repr(find_centerer(model)) == "ImageCenterer(box=6, size=8)"
    with pytest.raises(ValueError, match="images of 12 pixels, which are not square"):
        find_centerer(LogisticRegression().fit(np.eye(12), np.arange(12) % 2))


def test_the_pipeline_that_a_search_found_has_its_own_centerer():
    pipeline = make_pipeline(ImageCenterer(20, box=9), LogisticRegression())
    search = GridSearchCV(pipeline, {"logisticregression__C": [1]}, cv=2)

    centerer = find_centerer(search.fit(IMAGES, LABELS))

    assert (centerer.size, centerer.box) == (20, 9)


def test_a_model_of_several_labels_is_refused(tmp_path, folder, capsys):
    y = np.array([[0, 1], [1, 1]] * 5)
    model = make_pipeline(ImageCenterer(), ImageScaler(), small()).fit(IMAGES, y)
    save_model(model, tmp_path / "several.skmnist")

    assert predict(tmp_path, "several.skmnist", str(folder / "flat.png")) == 1
    assert "several.skmnist contains a multilabel classifier" in capsys.readouterr().err
