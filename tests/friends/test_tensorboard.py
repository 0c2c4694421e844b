"""TensorBoard: each epoch is logged."""

import pytest
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
