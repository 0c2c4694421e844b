"""A student types the steps of the lecture, with the pages beside them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import ConfusionMatrixDisplay

from skmnist import (
    HistoryDisplay,
    ImageGridDisplay,
    ImageScaler,
    MNISTMLPClassifier,
    evaluate,
    fetch_mnist,
    load_model,
    misclassified,
    model_summary,
    save_model,
)


def test_the_steps_of_the_lecture(data_home, monkeypatch, capsys):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(data_home))

    # The data
    mnist, test = fetch_mnist(), fetch_mnist(subset="test")
    assert mnist.images.shape == (60_000, 28, 28)
    assert test.images.shape == (10_000, 28, 28)
    assert (mnist.images.min(), mnist.images.max()) == (0, 255)
    assert list(np.unique(mnist.target)) == list(range(10))
    X_train, y_train = mnist.images[:2000], mnist.target[:2000]
    X_test, y_test = test.images[:2000], test.target[:2000]

    # A grid of images with their names
    class_names = ["zero", "one", "two", "three", "four"]
    class_names += ["five", "six", "seven", "eight", "nine"]
    grid = ImageGridDisplay.from_images(
        X_train, y_train, n_images=15, class_names=class_names
    )
    titles = [ax.get_title() for ax in grid.figure_.axes if ax.get_title()]
    assert titles == [class_names[label] for label in y_train[:15]]

    # Scaling
    scaler = ImageScaler()
    X_train, X_test = scaler.fit_transform(X_train), scaler.transform(X_test)
    assert (X_train.min(), X_train.max()) == (0, 1)

    # The network
    classifier = MNISTMLPClassifier(
        hidden_layer_sizes=256,
        activation="relu",
        dropout=0.5,
        optimizer="adagrad",
        learning_rate=0.01,
        optimizer_params={"initial_accumulator_value": 0.1, "eps": 1e-7},
        max_epochs=10,
        batch_size=128,
        verbose=1,
        random_state=0,
    )
    summary = model_summary(classifier, n_features=784, n_classes=10)
    assert summary["parameters"].iloc[-1] == 203_530  # as in the lecture

    # Training, with the last fifth to validate on
    classifier.fit(
        X_train[:1600], y_train[:1600], X_val=X_train[1600:], y_val=y_train[1600:]
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[0] == "epoch"
    assert [line.split()[0] for line in lines[2:]] == [str(i) for i in range(1, 11)]
    history = classifier.history_
    assert history["train_loss"].is_monotonic_decreasing
    assert history["valid_accuracy"].iloc[-1] > 0.8

    # The curves
    display = HistoryDisplay.from_estimator(classifier)
    assert [ax.get_ylabel() for ax in display.figure_.axes] == ["Loss", "Accuracy"]

    # Saving and loading
    save_model(classifier, "mnist.skmnist")
    history.to_csv("history.csv", index=False)
    loaded, loaded_history = load_model("mnist.skmnist"), pd.read_csv("history.csv")
    pd.testing.assert_frame_equal(loaded.history_, history)
    assert loaded_history["valid_loss"].tolist() == pytest.approx(
        history["valid_loss"].tolist()
    )
    HistoryDisplay.from_history(loaded_history)

    # Predictions
    probabilities = loaded.predict_proba(X_test)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(X_test)), abs=1e-5)
    predicted = loaded.predict(X_test)
    assert (predicted == probabilities.argmax(axis=1)).all()
    assert loaded.predict_proba(X_test[5:6]) == pytest.approx(
        probabilities[5:6], abs=1e-5
    )

    # Evaluation
    results = evaluate(loaded, X_test, y_test)
    assert results["accuracy"] == pytest.approx(np.mean(predicted == y_test))
    assert results["accuracy"] > 0.7

    confusion = ConfusionMatrixDisplay.from_estimator(loaded, X_test, y_test)
    assert confusion.confusion_matrix.trace() == np.sum(predicted == y_test)

    # An 8 predicted as a 2
    mistakes = misclassified(loaded, X_test, y_test)
    eights = mistakes.query("true == 8 and predicted == 2")
    assert len(eights) == confusion.confusion_matrix[8, 2] > 0
    display = ImageGridDisplay.from_misclassified(
        loaded, X_test, y_test, true=8, predicted=2
    )
    title = display.figure_.axes[0].get_title()
    assert title == f"8 predicted as 2 ({eights['probability'].iloc[0]:.2f})"
