"""onnxruntime: the torch module, run without torch."""

import numpy as np
import onnxruntime
import pytest
import torch


@pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "trace"])
def test_a_module_runs_without_torch(digits, module, tmp_path, dynamo):
    images = torch.as_tensor(digits[1] / 16, dtype=torch.float32)
    shapes = (
        {"dynamic_shapes": ({0: torch.export.Dim("n")},)}
        if dynamo
        else {"dynamic_axes": {"images": {0: "n"}}}
    )

    torch.onnx.export(
        module,
        (images[:2],),
        tmp_path / "digits.onnx",
        dynamo=dynamo,
        input_names=["images"],
        **shapes,
    )
    session = onnxruntime.InferenceSession(tmp_path / "digits.onnx")
    (logits,) = session.run(None, {"images": images.numpy()})

    np.testing.assert_allclose(logits, module(images).detach(), atol=1e-4)
