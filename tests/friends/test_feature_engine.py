"""feature-engine: frames with columns dropped on the way to the classifier."""

import pandas as pd
from feature_engine.selection import DropConstantFeatures
from sklearn.pipeline import make_pipeline


def test_pixels_that_are_always_0_are_dropped(digits, model):
    X_train, X_test, y_train, y_test = digits
    train, test = (pd.DataFrame(X).add_prefix("pixel_") for X in (X_train, X_test))

    selecting = make_pipeline(DropConstantFeatures(), *model).fit(train, y_train)

    kept = train.columns[train.nunique() > 1]
    assert len(kept) < 64
    assert selecting[-1].n_features_in_ == len(kept)
    assert list(selecting[-2].feature_names_in_) == list(kept)
    assert selecting.score(test, y_test) > 0.9
