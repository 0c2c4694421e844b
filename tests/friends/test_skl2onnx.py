"""sklearn-onnx: a whole model, run without scikit-learn."""

import numpy as np
import onnxruntime
from numpy.testing import assert_array_equal

import skmnist


def test_a_model_runs_without_scikit_learn(digits, fitted):
    X_test = digits[1].astype(np.float32)

    onnx_model = skmnist.to_onnx(fitted, X_test)
    session = onnxruntime.InferenceSession(onnx_model.SerializeToString())
    name = session.get_inputs()[0].name
    labels, probabilities = session.run(None, {name: X_test})

    assert_array_equal(labels, fitted.predict(X_test))
    np.testing.assert_allclose(probabilities, fitted.predict_proba(X_test), atol=1e-5)
