"""Weights & Biases: each epoch is logged, offline."""

import pytest
import wandb
from skorch.callbacks import WandbLogger


def test_skorchs_logger_records_each_epoch(digits, make_classifier, tmp_path):
    X_train, _, y_train, _ = digits

    with wandb.init(project="digits", mode="offline", dir=tmp_path) as run:
        classifier = make_classifier(
            max_epochs=3, callbacks=[WandbLogger(run, save_model=False)]
        ).fit(X_train / 16, y_train)

        assert run.summary["train_loss"] == pytest.approx(
            classifier.history_["train_loss"].iloc[-1]
        )
        assert run.step == 3
    assert list(tmp_path.rglob("*.wandb"))
