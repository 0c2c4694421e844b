"""MLflow: runs that are logged, and models that come back."""

import mlflow
import pytest
from numpy.testing import assert_array_equal
from skorch.callbacks import MlflowLogger

from skmnist.persistence import TRUSTED_TYPES


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """An empty store of runs and models below `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_experiment("digits")
    yield
    mlflow.sklearn.autolog(disable=True)


def test_autolog_records_parameters_and_score(digits, model):
    X_train, _, y_train, _ = digits
    mlflow.sklearn.autolog(log_models=False, silent=True)

    with mlflow.start_run() as run:
        model.fit(X_train, y_train)

    data = mlflow.get_run(run.info.run_id).data
    assert data.params["mnistmlpclassifier__learning_rate"] == "0.01"
    assert data.metrics["training_accuracy_score"] == model.score(X_train, y_train)


@pytest.mark.parametrize(
    "options",
    [
        {"serialization_format": "cloudpickle"},
        {"serialization_format": "skops", "skops_trusted_types": list(TRUSTED_TYPES)},
    ],
    ids=["cloudpickle", "skops"],
)
def test_a_logged_model_comes_back(digits, fitted, options):
    X_test = digits[1]

    with mlflow.start_run():
        # Else it loads the model in another process, to see what that imports.
        info = mlflow.sklearn.log_model(
            fitted, name="model", pip_requirements=["skmnist"], **options
        )
    loaded = mlflow.sklearn.load_model(info.model_uri)

    assert_array_equal(loaded.predict_proba(X_test), fitted.predict_proba(X_test))


def test_skorchs_logger_records_each_epoch(digits, make_classifier):
    X_train, _, y_train, _ = digits
    client = mlflow.MlflowClient()
    run = client.create_run(mlflow.get_experiment_by_name("digits").experiment_id)

    logger = MlflowLogger(run, client, create_artifact=False)

    classifier = make_classifier(max_epochs=3, callbacks=[logger])
    classifier.fit(X_train / 16, y_train)

    logged = client.get_metric_history(run.info.run_id, "train_loss")
    assert [metric.value for metric in logged] == pytest.approx(
        classifier.history_["train_loss"].tolist()
    )
