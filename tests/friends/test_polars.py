"""polars: frames in, and frames out."""

import numpy as np
import polars as pl
from numpy.testing import assert_array_equal


def test_frames_are_trained_on_as_arrays_are(digits, model):
    X_train, X_test, y_train, _ = digits
    names = [f"pixel_{number}" for number in range(64)]
    train, test = (pl.DataFrame(X, schema=names) for X in (X_train, X_test))
    expected = model.fit(X_train, y_train).predict(X_test)

    model.fit(train, pl.Series(y_train))

    assert_array_equal(model.predict(test), expected)
    assert_array_equal(model.feature_names_in_, names)


def test_a_scaler_returns_frames(digits, model):
    frame = pl.DataFrame(digits[0])

    scaled = model[0].set_output(transform="polars").fit_transform(frame)

    assert scaled.columns == frame.columns
    np.testing.assert_allclose(scaled, digits[0] / 16)
