"""scikit-plots: pictures of a model's scores."""

import numpy as np
from scikitplot.api.estimators import plot_learning_curve
from scikitplot.api.metrics import plot_confusion_matrix, plot_roc
from sklearn.metrics import confusion_matrix


def test_a_confusion_matrix_shows_the_counts(digits, fitted):
    _, X_test, _, y_test = digits
    predicted = fitted.predict(X_test)

    ax = plot_confusion_matrix(y_test, predicted)

    counts = confusion_matrix(y_test, predicted)
    np.testing.assert_array_equal(ax.images[0].get_array(), counts)


def test_each_digit_has_a_roc_curve(digits, fitted):
    _, X_test, _, y_test = digits

    ax = plot_roc(y_test, fitted.predict_proba(X_test))

    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert all(any(f"{digit}" in label for label in labels) for digit in range(10))


def test_a_learning_curve_rises(digits, model):
    X_train, _, y_train, _ = digits

    ax = plot_learning_curve(
        model, X_train, y_train, cv=2, train_sizes=np.array([0.1, 1.0])
    )

    _, validation = (line.get_ydata() for line in ax.lines)
    assert validation[1] > validation[0]
