"""captum: attributions of the torch module."""

import numpy as np
import pytest
import torch
from captum.attr import DeepLift, IntegratedGradients, Saliency


@pytest.fixture
def images(digits):
    """Test digits as a tensor."""
    return torch.as_tensor(digits[1][:20] / 16, dtype=torch.float32)


@pytest.fixture
def labels(digits, fitted):
    return torch.as_tensor(fitted.predict(digits[1][:20]))


@pytest.mark.parametrize(
    ("method", "options"), [(IntegratedGradients, {"n_steps": 200}), (DeepLift, {})]
)
def test_attributions_add_up_to_the_logits(images, labels, module, method, options):
    attributions = method(module).attribute(
        images, baselines=torch.zeros_like(images), target=labels, **options
    )

    with torch.no_grad():
        differences = (module(images) - module(torch.zeros_like(images))).gather(
            1, labels[:, None]
        )
    np.testing.assert_allclose(
        attributions.detach().sum(dim=1), differences.squeeze(1), atol=0.05
    )


def test_saliency_is_the_size_of_the_gradient(images, labels, module):
    saliency = Saliency(module).attribute(images.clone(), target=labels)

    inputs = images.clone().requires_grad_()
    module(inputs).gather(1, labels[:, None]).sum().backward()
    np.testing.assert_allclose(saliency, inputs.grad.abs(), rtol=1e-5)
