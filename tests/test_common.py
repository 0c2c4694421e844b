"""scikit-learn's own checks, without exception where the training is deterministic."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skmnist import ImageCenterer, ImageScaler, MNISTMLPClassifier

WEIGHTS_ARE_NOT_COPIES = {
    f"check_sample_weight_equivalence_on_{kind}_data": "a random dropout mask or split "
    "cannot treat a weight of two as two rows"
    for kind in ("dense", "sparse")
}


class CentererOfAnyRows(ImageCenterer):
    """Takes rows of pixels for images of one row: the checks have any number."""

    def _find_shape(self, n_samples, n_pixels):
        return 1, n_pixels

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


ESTIMATORS = [
    CentererOfAnyRows(),
    ImageScaler(),
    MNISTMLPClassifier(),
    MNISTMLPClassifier(dropout=0.0, validation_split=None),
    MNISTMLPClassifier(early_stopping=True, patience=2),
    MNISTMLPClassifier(class_weight="balanced"),
    MNISTMLPClassifier(dropout=0.0, validation_split=None, class_weight="balanced"),
]


def expected_failures(estimator):
    if not isinstance(estimator, MNISTMLPClassifier):
        return {}
    is_deterministic = estimator.dropout == 0 and estimator.validation_split is None
    return {} if is_deterministic else WEIGHTS_ARE_NOT_COPIES


@pytest.mark.filterwarnings("ignore::UserWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)
