"""What may stand in a model's file: each class, and a rule for each of its attributes.

A class is listed once somebody has read what it does with its attributes when it is
built, displayed, and predicts. When built, scikit-learn's estimators compare versions
and take their attributes as they are; `IsotonicRegression` also interpolates between
its thresholds; `MNISTMLPClassifier` compares the weights with its parameters, then
builds its net. Arrays must have the sizes that the class gives them: broadcasting could
make much of a few bytes.
"""

from __future__ import annotations

import numpy as np
import scipy.special
from sklearn import calibration
from sklearn.calibration import (
    CalibratedClassifierCV,
    _CalibratedClassifier,
    _SigmoidCalibration,
)
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.feature_selection import chi2, f_classif, mutual_info_classif
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.metrics._scorer import _PassthroughScorer, _Scorer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.model_selection._search_successive_halving import (
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
)
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import LabelEncoder
from sklearn.utils._metadata_requests import (
    SIMPLE_METHODS,
    MetadataRequest,
    MethodMetadataRequest,
)

from skmnist._parameters import DISTORTION_RULES, NET_PARAMETERS
from skmnist.augmentation import RandomDistortion
from skmnist.classifier import MNISTMLPClassifier
from skmnist.persistence._rules import (
    SPLITTERS,
    Rule,
    are_candidates,
    are_estimators,
    are_results,
    are_steps,
    either,
    has_axes,
    has_labels,
    is_a,
    is_bool,
    is_dict_of,
    is_estimator,
    is_if,
    is_int,
    is_list_of,
    is_method,
    is_net_state,
    is_none,
    is_number,
    is_number_of_jobs,
    is_one_of,
    is_pre_dispatch,
    is_scalar,
    is_setting,
    is_setting_or_estimator,
    is_side,
    is_step,
    is_text,
    is_transformer,
    is_version,
    labels,
    or_none,
)
from skmnist.persistence._transformers import TRANSFORMERS
from skmnist.preprocessing import ImageCenterer, ImageScaler

# What a file names without its content. A transformer may call it on numbers.
TYPES = {
    f"{cls.__module__}.{cls.__name__}": cls
    for cls in (
        *(bool, int, float, str, np.bool_, np.str_, np.float16, np.float32, np.float64),
        *(np.int8, np.int16, np.int32, np.int64),
        *(np.uint8, np.uint16, np.uint32, np.uint64),
    )
}
FUNCTIONS = {
    f"{function.__module__}.{function.__name__}": function
    for function in (
        *(chi2, f_classif, mutual_info_classif),
        *(get_scorer(name)._score_func for name in get_scorer_names()),
    )
} | {
    f"{name}.{ufunc.__name__}": ufunc
    for name, module in [
        ("numpy", np),
        ("numpy.core._multiarray_umath", np),  # before NumPy 2
        ("scipy.special._ufuncs", scipy.special),
    ]
    for ufunc in vars(module).values()
    if isinstance(ufunc, np.ufunc) and ufunc.nargs == 2
}
is_request = or_none(is_a(MetadataRequest, MethodMetadataRequest))

# Of each estimator, beside its parameters.
OF_ALL: dict[str, Rule] = {
    # The HTML display names each, whether or not there is an array of them.
    "n_features_in_": lambda value, sizes: is_int(value, {}) and 0 < value <= 100_000,
    "feature_names_in_": has_labels("features"),
    "n_jobs": is_number_of_jobs,
    "_sklearn_version": is_version,
    "_sklearn_output_config": is_dict_of(is_one_of("default", "pandas", "polars")),
    "_metadata_request": is_request,
}
_SEARCH: dict[str, Rule] = {
    "estimator": is_estimator,
    "scoring": either(
        is_setting, is_a(_Scorer), is_dict_of(either(is_text, is_a(_Scorer)))
    ),
    "pre_dispatch": is_pre_dispatch,
    "_checked_cv_orig": is_setting,
    "best_estimator_": is_estimator,
    "best_index_": is_int,
    "best_params_": is_dict_of(is_setting_or_estimator),
    "best_score_": is_number,
    "cv_results_": are_results,
    "multimetric_": is_bool,
    "n_splits_": is_int,
    "refit_time_": is_number,
    "scorer_": either(
        is_a(_Scorer, _PassthroughScorer),
        is_dict_of(is_a(_Scorer, _PassthroughScorer)),
    ),
}
_HALVING: dict[str, Rule] = {
    "_n_samples_orig": is_int,
    "min_resources_": is_int,
    "max_resources_": is_int,
    "n_resources_": is_list_of(is_int),
    "n_candidates_": is_list_of(is_int),
    "n_remaining_candidates_": is_int,
    "n_required_iterations_": is_int,
    "n_possible_iterations_": is_int,
    "n_iterations_": is_int,
}
_ENSEMBLE: dict[str, Rule] = {
    "estimators": are_steps,
    "estimators_": are_estimators,
    "named_estimators_": is_dict_of(is_transformer),
    "classes_": labels,
}
_SPLITTER: dict[str, Rule] = dict.fromkeys(
    ("n_splits", "shuffle", "random_state", "test_size", "train_size", "cv"),
    is_setting,
) | {"_default_test_size": is_number, "stratified": is_bool}

RULES: dict[type, dict[str, Rule]] = {
    MNISTMLPClassifier: {
        "augmentation": or_none(is_a(RandomDistortion)),
        "callbacks": is_none,
        "classes_": labels,
        "best_epoch_": is_int,
        "_seed": is_a(int),
        "_dtype": is_one_of("float32", "float64"),
        "_is_multilabel": is_bool,
        "_has_sparse_labels": is_bool,
        "_built_with": lambda value, sizes: (
            is_setting(value, sizes) and value.keys() == set(NET_PARAMETERS)
        ),
        "_net_state": is_net_state,
        "_skmnist_version": is_version,
    },
    RandomDistortion: {
        name: is_if(is_valid) for name, (is_valid, _) in DISTORTION_RULES.items()
    },
    ImageScaler: {"_skmnist_version": is_version},
    ImageCenterer: {
        "size": is_side,
        "box": is_side,
        "_skmnist_version": is_version,
    },
    **TRANSFORMERS,
    Pipeline: {"steps": are_steps, "memory": is_none},
    FeatureUnion: {"transformer_list": are_steps},
    ColumnTransformer: {
        "transformers": are_steps,
        "transformers_": are_steps,
        "remainder": is_transformer,
        "sparse_output_": is_bool,
        "output_indices_": is_dict_of(is_a(slice)),
        "_columns": is_list_of(is_setting),
        "_remainder": is_step,
        "_transformer_to_input_indices": is_dict_of(is_setting),
        "_transformers_feature_names_out": has_labels("names"),
        "_n_features": is_int,
    },
    CalibratedClassifierCV: {
        "estimator": or_none(is_estimator),
        "calibrated_classifiers_": is_list_of(is_a(_CalibratedClassifier)),
        "classes_": labels,
    },
    _CalibratedClassifier: {
        "estimator": is_estimator,
        "calibrators": are_estimators,
        "classes": labels,
        "method": is_one_of("sigmoid", "isotonic", "temperature"),
    },
    _SigmoidCalibration: {"a_": is_number, "b_": is_number},
    IsotonicRegression: {
        "X_min_": is_number,
        "X_max_": is_number,
        "X_thresholds_": has_axes("thresholds"),
        "y_thresholds_": has_axes("thresholds"),
        "increasing_": is_bool,
    },
    FrozenEstimator: {"estimator": is_estimator},
    VotingClassifier: _ENSEMBLE | {"le_": is_a(LabelEncoder)},
    StackingClassifier: _ENSEMBLE
    | {
        "final_estimator": or_none(is_estimator),
        "final_estimator_": is_estimator,
        "stack_method": either(is_method, is_one_of("auto")),
        "stack_method_": is_list_of(is_method),
        "_label_encoder": is_a(LabelEncoder),
        "_n_feature_outs": is_list_of(is_int),
    },
    LogisticRegression: {
        "classes_": labels,
        "coef_": has_axes("outputs features"),
        "intercept_": has_axes("outputs"),
        "n_iter_": has_axes("iterations"),
    },
    GridSearchCV: _SEARCH | {"param_grid": are_candidates},
    RandomizedSearchCV: _SEARCH | {"param_distributions": are_candidates},
    HalvingGridSearchCV: _SEARCH | _HALVING | {"param_grid": are_candidates},
    HalvingRandomSearchCV: _SEARCH | _HALVING | {"param_distributions": are_candidates},
    _Scorer: {
        "_score_func": is_setting,
        "_sign": is_one_of(1, -1),
        "_kwargs": is_dict_of(is_setting),
        "_response_method": either(is_method, is_list_of(is_method)),
        "_metadata_request": is_request,
        "_deprecation_msg": or_none(is_text),
    },
    _PassthroughScorer: {"_estimator": is_estimator, "_metadata_request": is_request},
    MetadataRequest: {"owner": is_text}
    | dict.fromkeys(SIMPLE_METHODS, is_a(MethodMetadataRequest)),
    MethodMetadataRequest: {
        "owner": is_text,
        "method": is_text,
        "_requests": is_dict_of(is_scalar),
    },
    **dict.fromkeys(SPLITTERS, _SPLITTER),
}
if hasattr(calibration, "_TemperatureScaling"):  # new in scikit-learn 1.8
    RULES[calibration._TemperatureScaling] = {"beta_": is_number}
CLASSES = {f"{cls.__module__}.{cls.__name__}": cls for cls in RULES}
# What else skops must be told; it trusts functions of NumPy and SciPy itself.
TRUSTED_TYPES = (
    *CLASSES,
    *("numpy.dtype", "sklearn.utils._bunch.Bunch"),  # see `_schema`
    *(
        name
        for name, function in FUNCTIONS.items()
        if not isinstance(function, np.ufunc)
    ),
)
