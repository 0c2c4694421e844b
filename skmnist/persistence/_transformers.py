"""The transformers of scikit-learn that a file may hold, a rule for each attribute.

What they do with images is arithmetic on arrays whose sizes the rules pin. Others are
left out: their compiled code trusts what it is given (trees, neighbors), or they read
files (text). `LabelBinarizer` writes into a sparse matrix, unchecked, where bisection
finds a label; it errs if the labels that it is given are of another type than its own.
"""

from __future__ import annotations

import numpy as np
from sklearn import decomposition, feature_selection, kernel_approximation
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.metrics._scorer import _Scorer
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.neural_network import BernoulliRBM
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    KernelCenterer,
    LabelEncoder,
    MaxAbsScaler,
    MinMaxScaler,
    MultiLabelBinarizer,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.random_projection import GaussianRandomProjection

from skmnist.persistence._rules import (
    Rule,
    are_categories,
    either,
    features,
    has_axes,
    has_fast_axes,
    has_labels,
    has_short_names,
    is_a,
    is_amount,
    is_bool,
    is_degree,
    is_dict_of,
    is_estimator,
    is_indices,
    is_int,
    is_list_of,
    is_name_of_importances,
    is_none,
    is_number,
    is_number_of_iterations,
    is_number_of_threads,
    is_number_of_updates,
    is_one_of,
    is_scalar,
    is_setting,
    is_size_of,
    is_text,
    labels,
    or_none,
)

components = or_none(has_axes("components"))
matrix = has_axes("components features")
# Random features and clusters may be more than the pixels.
outputs = has_axes("outputs")
wide = has_axes("outputs features")
is_plain = either(is_scalar, is_a(np.random.RandomState))

_SELECTION: dict[str, Rule] = {"scores_": features, "pvalues_": features}
_CATEGORIES: dict[str, Rule] = {
    "categories": either(is_text, is_list_of(is_setting)),
    "categories_": is_list_of(are_categories),
    "_infrequent_enabled": is_bool,
    "_infrequent_indices": is_list_of(is_indices),
    "_default_to_infrequent_mappings": is_list_of(is_indices),
}
_RANDOM_FEATURES: dict[str, Rule] = {
    "n_components": is_amount,
    "random_weights_": has_axes("features outputs"),
    "random_offset_": outputs,
    "_gamma": is_number,
    "_n_features_out": is_size_of("outputs"),
}
_SVD: dict[str, Rule] = {
    "components_": matrix,
    "explained_variance_": components,
    "explained_variance_ratio_": components,
    "singular_values_": components,
}
_PCA: dict[str, Rule] = _SVD | {
    "mean_": features,
    "noise_variance_": is_number,
    "n_components_": is_int,
}
_SPARSE_PCA: dict[str, Rule] = {
    "callback": is_none,
    "components_": matrix,
    "mean_": features,
    "error_": is_list_of(is_number),
    "n_components_": is_size_of("components"),
    "n_iter_": is_number,
}
_DICTIONARY: dict[str, Rule] = {
    # Not by least angles: copies of an atom are dropped anew at each of its steps.
    "transform_algorithm": is_one_of("omp", "threshold", "lasso_cd"),
    "transform_n_nonzero_coefs": or_none(is_int),
    "transform_max_iter": is_int,
    "n_components": is_amount,
    "code_init": or_none(has_axes("samples starts")),
    "dict_init": or_none(has_axes("starts features")),
    "callback": is_none,
    "components_": wide,
    "error_": is_list_of(is_number),
    "n_iter_": is_number,
}
_OF_BATCHES: dict[str, Rule] = {
    "_batch_size": is_int,
    "_no_improvement": is_int,
    "n_steps_": is_int,
}
_NMF: dict[str, Rule] = {
    "beta_loss": is_one_of("frobenius", 2),
    "n_components": is_amount,
    "max_iter": is_number_of_iterations,
    "components_": matrix,
    "n_components_": is_size_of("components"),
    "_n_components": is_size_of("components"),
    "_beta_loss": is_one_of(2),
    "reconstruction_err_": is_number,
    "n_iter_": is_int,
}
_KMEANS: dict[str, Rule] = {
    "n_clusters": is_amount,
    "init": either(is_text, has_axes("starts pixels")),
    "cluster_centers_": wide,
    "labels_": or_none(has_axes("samples")),
    "inertia_": is_number,
    "n_iter_": is_int,
    "_tol": is_number,
    "_n_init": is_int,
    "_n_threads": is_number_of_threads,
    "_n_features_out": is_size_of("outputs"),
}
_PLS: dict[str, Rule] = {
    "deflation_mode": is_text,
    "mode": is_text,
    "algorithm": is_text,
    "_x_mean": features,
    "_x_std": features,
    "_y_mean": outputs,
    "_y_std": outputs,
    "x_weights_": has_axes("features components"),
    "x_loadings_": has_axes("features components"),
    "x_rotations_": has_axes("features components"),
    "y_weights_": has_axes("outputs components"),
    "y_loadings_": has_axes("outputs components"),
    "y_rotations_": has_axes("outputs components"),
    "_x_scores": has_axes("samples components"),
    "_y_scores": has_axes("samples components"),
    "x_scores_": has_axes("samples components"),
    "y_scores_": has_axes("samples components"),
    "coef_": wide,
    "intercept_": outputs,
    "n_iter_": is_list_of(is_int),
    "_predict_1d": is_bool,
    "_norm_y_weights": is_bool,
    "_n_features_out": is_size_of("components"),
}
_ELIMINATION: dict[str, Rule] = {
    "estimator": is_estimator,
    "importance_getter": is_name_of_importances,
    "cv": is_setting,
    "scoring": either(is_setting, is_a(_Scorer)),
    "estimator_": is_estimator,
    "support_": has_axes("features", "b"),
    "ranking_": features,
    "n_features_": is_int,
    "cv_results_": is_dict_of(either(has_axes("steps"), has_axes("steps features"))),
}

# Their parameters are numbers and names, but for those that have a rule of their own.
OF_SCALARS: dict[type, dict[str, Rule]] = {
    kernel_approximation.AdditiveChi2Sampler: {"sample_steps": is_one_of(1, 2, 3)},
    BernoulliRBM: {
        "batch_size": is_amount,
        "n_components": is_amount,
        "components_": wide,
        "intercept_hidden_": outputs,
        "intercept_visible_": features,
        "h_samples_": has_axes("batch outputs"),
        "_n_features_out": is_size_of("outputs"),
    },
    GaussianRandomProjection: {
        "n_components": is_amount,
        "components_": wide,
        "inverse_components_": has_axes("features outputs"),
        "n_components_": is_size_of("outputs"),
        "_n_features_out": is_size_of("outputs"),
    },
    kernel_approximation.PolynomialCountSketch: {
        "degree": is_degree,
        "n_components": is_size_of("outputs"),
        "indexHash_": has_axes("degrees hashed", "iu"),
        "bitHash_": has_axes("degrees hashed"),
        "_n_features_out": is_size_of("outputs"),
    },
    kernel_approximation.RBFSampler: _RANDOM_FEATURES,
    kernel_approximation.SkewedChi2Sampler: _RANDOM_FEATURES,
    kernel_approximation.Nystroem: {
        "kernel": is_text,
        "kernel_params": or_none(is_dict_of(is_scalar)),
        "n_components": is_amount,
        "components_": wide,
        "component_indices_": outputs,
        "normalization_": has_axes("outputs outputs"),
        "_n_features_out": is_size_of("outputs"),
    },
    KernelCenterer: {"K_fit_rows_": features, "K_fit_all_": is_number},
    decomposition.KernelPCA: {
        "kernel": is_text,
        "kernel_params": or_none(is_dict_of(is_scalar)),
        "n_components": is_amount,
        "gamma_": or_none(is_number),
        "eigenvalues_": outputs,
        "eigenvectors_": has_axes("bases outputs"),
        "dual_coef_": has_axes("bases features"),
        "X_fit_": has_axes("bases features"),
        "X_transformed_fit_": has_axes("bases outputs"),
        "_centerer": is_a(KernelCenterer),
    },
    NeighborhoodComponentsAnalysis: {
        "callback": is_none,
        "components_": matrix,
        "n_iter_": is_int,
        "random_state_": is_a(np.random.RandomState),
    },
    LinearDiscriminantAnalysis: {
        "covariance_estimator": is_none,
        "priors": is_setting,
        "classes_": labels,
        "priors_": has_axes("classes"),
        "means_": has_axes("classes features"),
        "covariance_": has_axes("features features"),
        "xbar_": features,
        "scalings_": has_axes("features components"),
        "explained_variance_ratio_": has_axes("ratios"),
        "coef_": wide,
        "intercept_": outputs,
        "_max_components": is_int,
        "_n_features_out": is_size_of("transformed"),
    },
    decomposition.SparsePCA: _SPARSE_PCA,
    decomposition.MiniBatchSparsePCA: _SPARSE_PCA,
    decomposition.DictionaryLearning: _DICTIONARY,
    decomposition.MiniBatchDictionaryLearning: _DICTIONARY
    | _OF_BATCHES
    | {
        "_n_components": is_size_of("outputs"),
        "_fit_algorithm": is_text,
        "_A": has_axes("outputs outputs"),
        "_B": has_axes("features outputs"),
        "_ewa_cost": or_none(is_number),
        "_ewa_cost_min": or_none(is_number),
        "_random_state": is_a(np.random.RandomState),
    },
    decomposition.SparseCoder: _DICTIONARY
    | {"dictionary": wide, "n_components_": is_size_of("outputs")},
    decomposition.NMF: _NMF | {"solver": is_one_of("cd", "mu")},
    decomposition.MiniBatchNMF: _NMF
    | _OF_BATCHES
    | {
        "transform_max_iter": or_none(is_number_of_iterations),
        "_transform_max_iter": is_number_of_iterations,
        "_rho": is_number,
        "_gamma": is_number,
        "_components_numerator": matrix,
        "_components_denominator": matrix,
        "_ewa_cost": or_none(is_number),
        "_ewa_cost_min": or_none(is_number),
    },
    decomposition.LatentDirichletAllocation: {
        "n_components": is_amount,
        "max_doc_update_iter": is_number_of_updates,
        "components_": matrix,
        "exp_dirichlet_component_": has_fast_axes("components features"),
        "doc_topic_prior_": is_number,
        "topic_word_prior_": is_number,
        "bound_": is_number,
        "n_batch_iter_": is_int,
        "n_iter_": is_int,
        "random_state_": is_a(np.random.RandomState),
    },
    KMeans: _KMEANS | {"_algorithm": is_text},
    MiniBatchKMeans: _KMEANS
    | _OF_BATCHES
    | {
        "_init_size": is_int,
        "_counts": outputs,
        "_ewa_inertia": or_none(is_number),
        "_ewa_inertia_min": or_none(is_number),
        "_n_since_last_reassign": is_int,
        "_random_state": is_a(np.random.RandomState),
    },
    **dict.fromkeys((PLSRegression, PLSCanonical, CCA, PLSSVD), _PLS),
    PolynomialFeatures: {
        "feature_names_in_": has_short_names,
        "degree": either(is_degree, is_list_of(is_degree, longest=2)),
        "_min_degree": is_degree,
        "_max_degree": is_degree,
        "_n_out_full": is_size_of("outputs"),
        "n_output_features_": is_int,
    },
    MultiLabelBinarizer: {
        "classes": is_setting,
        "classes_": has_labels("outputs"),
        "_cached_dict": or_none(is_a(dict)),
    },
    TfidfTransformer: {"idf_": features},
    feature_selection.SelectFromModel: _ELIMINATION | {"max_features_": is_int},
    feature_selection.RFE: _ELIMINATION,
    feature_selection.RFECV: _ELIMINATION,
    feature_selection.SequentialFeatureSelector: _ELIMINATION
    | {"n_features_to_select_": is_int},
}
TRANSFORMERS: dict[type, dict[str, Rule]] = {
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
    decomposition.PCA: _PCA | {"n_samples_": is_int, "_fit_svd_solver": is_text},
    decomposition.IncrementalPCA: _PCA
    | {
        "var_": features,
        "n_samples_seen_": is_number,
        "batch_size_": is_int,
    },
    decomposition.TruncatedSVD: _SVD,
    decomposition.FastICA: {
        "components_": matrix,
        "mean_": features,
        "whitening_": matrix,
        "mixing_": has_axes("features components"),
        "_unmixing": has_axes("components components"),
        "n_iter_": is_int,
    },
    decomposition.FactorAnalysis: {
        "components_": matrix,
        "mean_": features,
        "noise_variance_": features,
        "loglike_": is_list_of(is_number),
        "n_iter_": is_int,
    },
    feature_selection.SelectKBest: _SELECTION,
    feature_selection.SelectPercentile: _SELECTION,
    feature_selection.SelectFpr: _SELECTION,
    feature_selection.SelectFdr: _SELECTION,
    feature_selection.SelectFwe: _SELECTION,
    feature_selection.GenericUnivariateSelect: _SELECTION,
    feature_selection.VarianceThreshold: {"variances_": features},
    SimpleImputer: {
        "statistics_": has_labels("features"),
        "indicator_": or_none(is_a(MissingIndicator)),
        "_fit_dtype": is_setting,
        "_fill_dtype": is_setting,
    },
    KNNImputer: {
        "n_neighbors": is_int,
        "weights": or_none(is_one_of("uniform", "distance")),
        "metric": is_one_of("nan_euclidean"),
        "indicator_": or_none(is_a(MissingIndicator)),
        "_fit_X": has_axes("samples features", "f"),
        "_mask_fit_X": has_axes("samples features", "b"),
        "_valid_mask": has_axes("features", "b"),
    },
    MissingIndicator: {
        "features_": or_none(has_axes("outputs", "iu")),
        "_n_features": is_int,
        "_precomputed": is_bool,
    },
    **OF_SCALARS,
}
PARAMETERS = dict.fromkeys(OF_SCALARS, is_plain)
