"""TensorBoard: each epoch is logged."""

import re
import textwrap
from pathlib import Path

import pytest
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import TensorBoard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter


def test_skorchs_logger_records_each_epoch(digits, make_classifier, tmp_path):
    X_train, _, y_train, _ = digits

    classifier = make_classifier(
        max_epochs=3, callbacks=[TensorBoard(SummaryWriter(tmp_path))]
    ).fit(X_train / 16, y_train)

    events = EventAccumulator(str(tmp_path)).Reload()
    (tag,) = [tag for tag in events.Tags()["scalars"] if tag.endswith("train_loss")]
    assert [event.value for event in events.Scalars(tag)] == pytest.approx(
        classifier.history_["train_loss"].tolist()
    )


def test_the_callback_of_the_page_logs_each_fit_of_a_search(
    digits, make_classifier, tmp_path, monkeypatch
):
    page = Path(__file__).parents[2] / "docs" / "user_guide" / "callbacks.rst"
    text = page.read_text(encoding="utf-8")
    block = re.search(
        r"^   from skorch.callbacks import Tensor(.*\n|\n)+?   MN", text, re.M
    )
    names = {}
    exec(textwrap.dedent(block[0].rpartition("\n")[0]), names)
    monkeypatch.chdir(tmp_path)

    classifier = make_classifier(callbacks=[names["LogToTensorBoard"]("runs")])
    search = GridSearchCV(classifier, {"dropout": [0.0]}, cv=2)
    search.fit(digits[0] / 16, digits[2])

    assert len(list(tmp_path.rglob("events.*"))) == 3
