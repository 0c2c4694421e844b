"""scikit-learn's own checks, without exception where the training is deterministic."""

import importlib.util

import pytest
import torch
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


# Not "mps": there scikit-learn skips its checks unless an environment variable is set.
DEVICES = {None, "cpu", "CPU_DEVICE", "device1"}
if torch.cuda.is_available():
    DEVICES.add("cuda")


def is_for_this_machine(case):
    """Whether the libraries and devices of a check's arrays are here."""
    _, check = getattr(case, "values", case)
    arguments = getattr(check, "keywords", {})
    spaces = [arguments[name] for name in arguments if name.endswith("ns_and_device")]
    spaces.append((arguments.get("array_namespace"), arguments.get("device_name")))
    return all(
        device in DEVICES and (library is None or importlib.util.find_spec(library))
        for library, device in spaces
    )


CHECKS = parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
NAMES, CASES = CHECKS.args


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(NAMES, [*filter(is_for_this_machine, CASES)], **CHECKS.kwargs)
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)
