"""mlxtend: voting, regions of decision, and selection of features."""

import numpy as np
from mlxtend.classifier import EnsembleVoteClassifier
from mlxtend.feature_selection import SequentialFeatureSelector
from mlxtend.plotting import plot_decision_regions
from sklearn.naive_bayes import GaussianNB


def test_votes_are_counted(digits, model):
    X_train, X_test, y_train, y_test = digits

    vote = EnsembleVoteClassifier([model, GaussianNB()], voting="soft", weights=[2, 1])

    assert vote.fit(X_train, y_train).score(X_test, y_test) > 0.9


def test_selected_pixels_are_worth_more_than_the_first_ones(digits, make_classifier):
    X_train, _, y_train, _ = digits
    X = X_train[:, 16:28] / 16

    selector = SequentialFeatureSelector(
        make_classifier(max_epochs=3), k_features=2, cv=2
    ).fit(X, y_train)

    first = make_classifier(max_epochs=3).fit(X[:, :2], y_train)
    assert selector.k_score_ > first.score(X[:, :2], y_train) + 0.05


def test_the_regions_of_two_classes_are_drawn(digits, make_classifier):
    X_train, _, y_train, _ = digits
    rows = np.isin(y_train, [0, 1])
    X, y = X_train[rows][:, [20, 28]] / 16, y_train[rows]

    ax = plot_decision_regions(X, y, make_classifier().fit(X, y))

    assert len(ax.collections) >= 2
    assert ax.get_legend() is not None
