"""torchvision: its transforms as augmentation."""

import pytest
import torch


@pytest.fixture(scope="module")
def transforms():
    try:
        from torchvision.transforms import v2
    except RuntimeError:
        # The operators of the registry's build do not load beside torch's CPU build,
        # and torchvision must find two of them declared.
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(
                f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
        from torchvision.transforms import v2
    return v2


def test_transforms_augment(digits, make_classifier, transforms):
    X_train, X_test, y_train, y_test = digits
    augmentation = transforms.RandomAffine(10, translate=(0.1, 0.1))
    torch.manual_seed(0)

    plain, augmented = (
        make_classifier(max_epochs=20, augmentation=each).fit(X_train / 16, y_train)
        for each in (None, augmentation)
    )

    losses = [each.history_["train_loss"].iloc[-1] for each in (plain, augmented)]
    assert losses[1] > 2 * losses[0]
    assert augmented.score(X_test / 16, y_test) > 0.9
