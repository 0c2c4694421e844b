"""torch: the module on its own, traced and exported."""

import pytest
import torch


@pytest.fixture
def images(digits):
    return torch.as_tensor(digits[1] / 16, dtype=torch.float32)


def test_a_traced_module_has_the_logits_of_the_module(images, module, tmp_path):
    torch.jit.trace(module, images[:2]).save(tmp_path / "digits.pt")
    loaded = torch.jit.load(tmp_path / "digits.pt")

    torch.testing.assert_close(loaded(images), module(images))


def test_an_exported_module_has_the_logits_of_the_module(images, module, tmp_path):
    shapes = ({0: torch.export.Dim("n_images")},)

    program = torch.export.export(module, (images[:2],), dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "digits.pt2")
    loaded = torch.export.load(tmp_path / "digits.pt2").module()

    torch.testing.assert_close(loaded(images), module(images))
