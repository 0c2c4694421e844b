"""What holds for any input, tried on many that hypothesis makes up."""

import struct

import hypothesis.extra.numpy as npst
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skmnist import ImageScaler, MNISTMLPClassifier, load_model, save_model
from skmnist.datasets import parse_idx

pytestmark = pytest.mark.filterwarnings(
    "ignore:X looks scaled already", "ignore:X has intensities up to"
)

# The same examples each time, however slow the machine.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

SHAPES = st.one_of(
    npst.array_shapes(min_dims=2, max_dims=3, max_side=6),
    npst.array_shapes(min_dims=3, max_dims=3, max_side=6).map(lambda s: (*s, 1)),
)
INTEGERS = st.sampled_from([np.uint8, np.int16, np.int32, np.uint16])


@given(images=INTEGERS.flatmap(lambda dtype: npst.arrays(dtype, SHAPES)))
def test_integer_images_come_back_from_the_scaler(images):
    scaler = ImageScaler(max_intensity=255).fit(images)

    back = scaler.inverse_transform(scaler.transform(images))

    rows = images.reshape(len(images), -1)
    np.testing.assert_allclose(back, rows.astype(np.float32), rtol=1e-6)


@given(
    images=npst.arrays(np.uint8, SHAPES),
    dtype=st.sampled_from([np.uint8, np.int64, np.float32, np.float64]),
    order=st.sampled_from("CF"),
)
def test_scaled_images_lie_between_0_and_1_whatever_their_type(images, dtype, order):
    scaled = ImageScaler().fit_transform(np.array(images, dtype=dtype, order=order))

    assert scaled.dtype == np.float32
    assert scaled.min() >= 0
    assert scaled.max() <= 1
    assert_array_equal(scaled, ImageScaler().fit_transform(images))


LABELS = st.sampled_from(
    [
        st.integers(-(2**62), 2**62),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
        st.booleans(),
    ]
)


@settings(max_examples=30)
@given(labels=LABELS.flatmap(lambda kind: st.lists(kind, min_size=2, max_size=12)))
def test_labels_come_back_as_given(labels):
    y = np.array(labels)
    X = np.eye(len(y), dtype=np.float32)
    model = MNISTMLPClassifier(
        (64,),
        dropout=0,
        validation_split=None,
        learning_rate=0.1,
        max_epochs=40,
        random_state=0,
    )

    predicted = model.fit(X, y).predict(X)

    assert predicted.dtype == y.dtype
    assert_array_equal(model.classes_, np.unique(y))
    assert_array_equal(predicted, y)


@settings(max_examples=10)
@given(
    sizes=st.lists(st.integers(1, 5), max_size=3).map(tuple),
    activation=st.sampled_from(["relu", "tanh", "gelu", "logistic", "identity"]),
    dropout=st.floats(0, 0.9),
    optimizer=st.sampled_from(["adam", "adamw", "sgd", "rmsprop", "adagrad"]),
    dtype=st.sampled_from([np.float32, np.float64]),
    y=st.lists(st.sampled_from(["a", "b", "c"]), min_size=6, max_size=6),
)
def test_a_saved_model_is_the_same(tmp_path_factory, y, dtype, **parameters):
    path = tmp_path_factory.mktemp("models") / "model"
    parameters["hidden_layer_sizes"] = parameters.pop("sizes")
    X = np.linspace(0, 1, 24, dtype=dtype).reshape(6, 4)
    model = MNISTMLPClassifier(max_epochs=2, validation_split=None, **parameters)
    model.fit(X, y)

    save_model(model, path)
    loaded = load_model(path)

    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.get_params() == model.get_params()
    X_more, y_more = X[::-1].copy(), y[::-1]
    assert_array_equal(
        loaded.partial_fit(X_more, y_more).predict_proba(X),
        model.partial_fit(X_more, y_more).predict_proba(X),
    )


@given(
    values=npst.arrays(
        np.uint8,
        st.one_of(
            npst.array_shapes(min_dims=1, max_dims=1, max_side=50),
            npst.array_shapes(min_dims=3, max_dims=3, max_side=6),
        ),
    )
)
def test_idx_files_are_read_as_they_were_written(values):
    magic = {1: 2049, 3: 2051}[values.ndim]
    header = struct.pack(f">I{values.ndim}I", magic, *values.shape)

    assert_array_equal(parse_idx(header + values.tobytes(), "made-up"), values)


@given(content=st.binary(max_size=100))
def test_what_is_no_idx_file_is_a_value_error(content):
    with pytest.raises(ValueError, match="made-up"):
        parse_idx(content, "made-up")
