"""kornia: its transforms as augmentation."""

import torch
from kornia.augmentation import RandomAffine


def test_transforms_augment(digits, make_classifier):
    X_train, X_test, y_train, y_test = digits
    augmentation = RandomAffine(10, translate=(0.1, 0.1))
    torch.manual_seed(0)

    plain, augmented = (
        make_classifier(max_epochs=20, augmentation=each).fit(X_train / 16, y_train)
        for each in (None, augmentation)
    )

    losses = [each.history_["train_loss"].iloc[-1] for each in (plain, augmented)]
    assert losses[1] > 2 * losses[0]
    assert augmented.score(X_test / 16, y_test) > 0.9
