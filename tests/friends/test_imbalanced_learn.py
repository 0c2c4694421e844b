"""imbalanced-learn: samplers in pipelines, and balanced bagging."""

import numpy as np
import pytest
from imblearn.ensemble import BalancedBaggingClassifier
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from imblearn.under_sampling import RandomUnderSampler
from sklearn.metrics import recall_score


@pytest.fixture
def rare_eights(digits):
    """Training digits with five eights among them."""
    X_train, _, y_train, _ = digits
    keep = (y_train != 8) | (np.cumsum(y_train == 8) <= 5)
    return X_train[keep], y_train[keep]


def recall_of_eights(model, digits):
    _, X_test, _, y_test = digits
    return recall_score(y_test, model.predict(X_test), labels=[8], average="macro")


@pytest.mark.parametrize(
    "sampler",
    [SMOTE(k_neighbors=3, random_state=0), RandomUnderSampler(random_state=0)],
    ids=["over", "under"],
)
def test_a_sampler_in_a_pipeline_finds_more_of_a_rare_digit(
    rare_eights, digits, model, sampler
):
    model.set_params(mnistmlpclassifier__max_epochs=20)
    without = recall_of_eights(model.fit(*rare_eights), digits)

    sampled = make_pipeline(sampler, *model).fit(*rare_eights)

    assert recall_of_eights(sampled, digits) > without + 0.1


def test_balanced_bagging_finds_more_of_a_rare_digit(rare_eights, digits, model):
    model.set_params(mnistmlpclassifier__max_epochs=20)
    without = recall_of_eights(model.fit(*rare_eights), digits)

    bagging = BalancedBaggingClassifier(model, n_estimators=3, random_state=0)

    assert recall_of_eights(bagging.fit(*rare_eights), digits) > without + 0.1
