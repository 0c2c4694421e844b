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
from sklearn.decomposition import (
    PCA,
    FactorAnalysis,
    FastICA,
    IncrementalPCA,
    TruncatedSVD,
)
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.feature_selection import (
    GenericUnivariateSelect,
    SelectFdr,
    SelectFpr,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    VarianceThreshold,
    chi2,
    f_classif,
    mutual_info_classif,
)
from sklearn.frozen import FrozenEstimator
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.metrics._scorer import _PassthroughScorer, _Scorer
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
)
from sklearn.model_selection._search_successive_halving import (
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
)
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    LabelEncoder,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.utils._metadata_requests import (
    SIMPLE_METHODS,
    MetadataRequest,
    MethodMetadataRequest,
)

from skmnist._parameters import NET_PARAMETERS
from skmnist.classifier import MNISTMLPClassifier
from skmnist.persistence._rules import (
    SPLITTERS,
    Rule,
    are_candidates,
    are_categories,
    are_results,
    are_steps,
    either,
    has_axes,
    has_encodings_of_classes,
    has_labels,
    has_outputs_of_categories,
    is_a,
    is_dict_of,
    is_estimator,
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
    is_step,
    is_transformer,
    is_version,
    or_none,
)
from skmnist.preprocessing import ImageScaler

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
is_text, is_bool = is_a(str), is_a(bool, np.bool_)
is_indices = or_none(has_axes("indices", "iu"))
are_estimators = is_list_of(is_estimator)
is_request = or_none(is_a(MetadataRequest, MethodMetadataRequest))
features = or_none(has_axes("features"))
components = or_none(has_axes("components"))
matrix = has_axes("components features")
labels = has_labels("classes")

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
_SELECTION = {"scores_": features, "pvalues_": features}
_CATEGORIES = {
    "categories": either(is_text, is_list_of(is_setting)),
    "categories_": is_list_of(are_categories),
    "_infrequent_enabled": is_bool,
    "_infrequent_indices": is_list_of(is_indices),
    "_default_to_infrequent_mappings": is_list_of(is_indices),
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
        "callbacks": is_none,
        "classes_": labels,
        "best_epoch_": is_int,
        "_seed": is_a(int),
        "_dtype": is_one_of("float32", "float64"),
        "_built_with": lambda value, sizes: (
            is_setting(value, sizes) and value.keys() == set(NET_PARAMETERS)
        ),
        "_net_state": is_net_state,
        "_skmnist_version": is_version,
    },
    ImageScaler: {"_skmnist_version": is_version},
    StandardScaler: {
        "mean_": features,
        "var_": features,
        "scale_": features,
        "n_samples_seen_": either(is_number, features),
    },
    MinMaxScaler: {
        "min_": features,
        "scale_": features,
        "data_min_": features,
        "data_max_": features,
        "data_range_": features,
        "n_samples_seen_": is_number,
    },
    MaxAbsScaler: {
        "max_abs_": features,
        "scale_": features,
        "n_samples_seen_": is_number,
    },
    RobustScaler: {"center_": features, "scale_": features},
    Normalizer: {},
    Binarizer: {},
    FunctionTransformer: {
        "kw_args": or_none(lambda value, sizes: value == {}),
        "inv_kw_args": or_none(lambda value, sizes: value == {}),
    },
    QuantileTransformer: {
        "n_quantiles_": is_int,
        "references_": has_axes("quantiles"),
        "quantiles_": has_axes("quantiles features"),
    },
    PowerTransformer: {"lambdas_": features, "_scaler": is_a(StandardScaler)},
    KBinsDiscretizer: {
        "bin_edges_": lambda value, sizes: (
            has_axes("features", "O")(value, sizes)
            and all(has_axes("edges")(edges, {}) for edges in value)
        ),
        "n_bins_": features,
        "_encoder": is_a(OneHotEncoder),
    },
    OneHotEncoder: _CATEGORIES
    | {
        "drop_idx_": or_none(has_labels("features")),
        "_drop_idx_after_grouping": or_none(has_labels("features")),
        "_n_features_outs": is_list_of(is_int),
    },
    OrdinalEncoder: _CATEGORIES | {"_missing_indices": is_dict_of(is_int, int)},
    TargetEncoder: _CATEGORIES
    | {
        "target_type_": is_text,
        "classes_": labels,
        "target_mean_": either(is_number, has_axes("classes")),
        "encodings_": is_list_of(has_axes("categories")),
    },
    LabelEncoder: {"classes_": labels},
    PCA: {
        "components_": matrix,
        "mean_": features,
        "explained_variance_": components,
        "explained_variance_ratio_": components,
        "singular_values_": components,
        "noise_variance_": is_number,
        "n_components_": is_int,
        "n_samples_": is_int,
        "_fit_svd_solver": is_text,
    },
    IncrementalPCA: {
        "components_": matrix,
        "mean_": features,
        "var_": features,
        "explained_variance_": components,
        "explained_variance_ratio_": components,
        "singular_values_": components,
        "noise_variance_": is_number,
        "n_components_": is_int,
        "n_samples_seen_": is_number,
        "batch_size_": is_int,
    },
    TruncatedSVD: {
        "components_": matrix,
        "explained_variance_": components,
        "explained_variance_ratio_": components,
        "singular_values_": components,
    },
    FastICA: {
        "components_": matrix,
        "mean_": features,
        "whitening_": matrix,
        "mixing_": has_axes("features components"),
        "_unmixing": has_axes("components components"),
        "n_iter_": is_int,
    },
    FactorAnalysis: {
        "components_": matrix,
        "mean_": features,
        "noise_variance_": features,
        "loglike_": is_list_of(is_number),
        "n_iter_": is_int,
    },
    SelectKBest: _SELECTION,
    SelectPercentile: _SELECTION,
    SelectFpr: _SELECTION,
    SelectFdr: _SELECTION,
    SelectFwe: _SELECTION,
    GenericUnivariateSelect: _SELECTION,
    VarianceThreshold: {"variances_": features},
    SimpleImputer: {
        "statistics_": has_labels("features"),
        "indicator_": or_none(is_a(MissingIndicator)),
        "_fit_dtype": is_setting,
        "_fill_dtype": is_setting,
    },
    MissingIndicator: {
        "features_": is_indices,
        "_n_features": is_int,
        "_precomputed": is_bool,
    },
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
        "_transformers_feature_names_out": has_labels("outputs"),
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
        "coef_": has_axes("rows features"),
        "intercept_": has_axes("rows"),
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
WHOLE = {
    OneHotEncoder: has_outputs_of_categories,
    TargetEncoder: has_encodings_of_classes,
}

if hasattr(calibration, "_TemperatureScaling"):  # new in scikit-learn 1.8
    RULES[calibration._TemperatureScaling] = {"beta_": is_number}
CLASSES = {f"{cls.__module__}.{cls.__name__}": cls for cls in RULES}
