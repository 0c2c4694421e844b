"""The tools that are tested here: what works with each, and the lines to write.

Each entry has one file of tests, named after its distribution. The documentation shows
the list as a table.
"""

import csv
import textwrap
from pathlib import Path
from typing import NamedTuple

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


class Friend(NamedTuple):
    """A tool, and what of it is tested."""

    tool: str
    distribution: str
    works: str
    lines: str

    @property
    def tests(self):
        return f"test_{self.distribution.replace('-', '_')}.py"


FRIENDS = [
    Friend(
        "captum",
        "captum",
        "attributions of the torch module: IntegratedGradients, DeepLift, Saliency",
        """
        from captum.attr import IntegratedGradients

        module = model[-1].module_
        attributions = IntegratedGradients(module).attribute(images, target=3)
        """,
    ),
    Friend(
        "cleanlab",
        "cleanlab",
        "finding wrong labels; training without them with CleanLearning",
        """
        from cleanlab.classification import CleanLearning

        issues = CleanLearning(model, seed=0).find_label_issues(X, y)
        """,
    ),
    Friend(
        "dask-ml",
        "dask-ml",
        "Incremental trains on the blocks of an array, ParallelPostFit predicts them; "
        "GridSearchCV",
        """
        from dask_ml.wrappers import Incremental

        Incremental(classifier).fit(blocks, labels, classes=list(range(10)))
        """,
    ),
    Friend(
        "fairlearn",
        "fairlearn",
        "reductions, such as ExponentiatedGradient",
        """
        from fairlearn.reductions import DemographicParity, ExponentiatedGradient

        ExponentiatedGradient(
            model,
            DemographicParity(),
            sample_weight_name="mnistmlpclassifier__sample_weight",
        ).fit(X, y, sensitive_features=groups)
        """,
    ),
    Friend(
        "feature-engine",
        "feature-engine",
        "its transformers of data frames in a pipeline",
        """
        from feature_engine.selection import DropConstantFeatures

        make_pipeline(DropConstantFeatures(), ImageScaler(), classifier).fit(frame, y)
        """,
    ),
    Friend(
        "imbalanced-learn",
        "imbalanced-learn",
        "samplers in a pipeline; BalancedBaggingClassifier",
        """
        from imblearn.over_sampling import SMOTE
        from imblearn.pipeline import make_pipeline

        make_pipeline(SMOTE(random_state=0), ImageScaler(), classifier).fit(X, y)
        """,
    ),
    Friend(
        "kornia",
        "kornia",
        "transforms as ``augmentation``, different for each image",
        """
        from kornia.augmentation import RandomAffine

        MNISTMLPClassifier(augmentation=RandomAffine(10, translate=(0.1, 0.1)))
        """,
    ),
    Friend(
        "LIME",
        "lime",
        "explanations: the pixels that matter for one prediction",
        """
        from lime.lime_tabular import LimeTabularExplainer

        explainer = LimeTabularExplainer(X, discretize_continuous=False)
        explainer.explain_instance(X[0], model.predict_proba)
        """,
    ),
    Friend(
        "MAPIE",
        "mapie",
        "split and cross conformal prediction",
        """
        from mapie.classification import SplitConformalClassifier

        conformal = SplitConformalClassifier(model, confidence_level=0.95, prefit=True)
        labels, sets = conformal.conformalize(X_other, y_other).predict_set(X_test)
        """,
    ),
    Friend(
        "MLflow",
        "mlflow",
        "autolog, saved models as cloudpickle and as skops, and skorch's MlflowLogger",
        """
        import mlflow
        from skmnist.persistence import TRUSTED_TYPES

        mlflow.sklearn.log_model(
            model,
            name="digits",
            serialization_format="skops",
            skops_trusted_types=list(TRUSTED_TYPES),
        )
        """,
    ),
    Friend(
        "mlxtend",
        "mlxtend",
        "EnsembleVoteClassifier, SequentialFeatureSelector, plots of decision regions",
        """
        from mlxtend.classifier import EnsembleVoteClassifier

        EnsembleVoteClassifier([model, GaussianNB()], voting="soft").fit(X, y)
        """,
    ),
    Friend(
        "ONNX Runtime",
        "onnxruntime",
        "the torch module, exported by ``torch.onnx.export``",
        """
        import torch

        module = model[-1].module_
        torch.onnx.export(module, (images[:2],), "module.onnx", dynamo=True)
        """,
    ),
    Friend(
        "optuna",
        "optuna-integration",
        "OptunaSearchCV; studies that prune with SkorchPruningCallback",
        """
        from optuna_integration import SkorchPruningCallback

        MNISTMLPClassifier(callbacks=[SkorchPruningCallback(trial, "valid_accuracy")])
        """,
    ),
    Friend(
        "polars",
        "polars",
        "data frames as input, and as output of the scaler",
        """
        import polars as pl

        model.fit(pl.DataFrame(X), pl.Series(y))
        """,
    ),
    Friend(
        "scikit-optimize",
        "scikit-optimize",
        "BayesSearchCV",
        """
        from skopt import BayesSearchCV

        name = "mnistmlpclassifier__learning_rate"
        BayesSearchCV(model, {name: (1e-4, 0.1, "log-uniform")}).fit(X, y)
        """,
    ),
    Friend(
        "scikit-plots",
        "scikit-plots",
        "plots of ROC curves, confusion matrices and learning curves",
        """
        from scikitplot.api.metrics import plot_roc

        plot_roc(y_test, model.predict_proba(X_test))
        """,
    ),
    Friend(
        "SHAP",
        "shap",
        "PermutationExplainer of a model; DeepExplainer and GradientExplainer of the "
        "torch module",
        """
        import shap

        shap.PermutationExplainer(model.predict_proba, X[:20])(X_test[:5])
        """,
    ),
    Friend(
        "sklearn-onnx",
        "skl2onnx",
        "whole pipelines as ONNX files",
        """
        import skmnist

        onnx_model = skmnist.to_onnx(model, X)
        """,
    ),
    Friend(
        "skops",
        "skops",
        "model cards; for files see :doc:`persistence`",
        """
        from skops.card import Card

        Card(model).add_metrics(accuracy=accuracy).save("README.md")
        """,
    ),
    Friend(
        "skore",
        "skore",
        "reports of a model and of a cross-validation",
        """
        from skore import CrossValidationReport

        CrossValidationReport(model, X, y, splitter=5).metrics.summarize()
        """,
    ),
    Friend(
        "TensorBoard",
        "tensorboard",
        "skorch's TensorBoard callback",
        """
        from skorch.callbacks import TensorBoard
        from torch.utils.tensorboard import SummaryWriter

        MNISTMLPClassifier(callbacks=[TensorBoard(SummaryWriter())])
        """,
    ),
    Friend(
        "torch",
        "torch",
        "``torch.jit.trace`` and ``torch.export`` of the module",
        """
        import torch

        program = torch.export.export(model[-1].module_, (images[:2],))
        """,
    ),
    Friend(
        "torchvision",
        "torchvision",
        "transforms as ``augmentation``, the same for all images of a batch",
        """
        from torchvision.transforms import v2

        MNISTMLPClassifier(augmentation=v2.RandomAffine(10, translate=(0.1, 0.1)))
        """,
    ),
    Friend(
        "venn-abers",
        "venn-abers",
        "calibrated probabilities",
        """
        from venn_abers import VennAbersCalibrator

        calibrator = VennAbersCalibrator(model, inductive=True, cal_size=0.3)
        calibrator.fit(X, y)
        """,
    ),
    Friend(
        "Weights & Biases",
        "wandb",
        "skorch's WandbLogger",
        """
        import wandb
        from skorch.callbacks import WandbLogger

        MNISTMLPClassifier(callbacks=[WandbLogger(wandb.init())])
        """,
    ),
    Friend(
        "Yellowbrick",
        "yellowbrick",
        "LearningCurve, ValidationCurve and CVScores; its plots of scores need "
        "``force_model=True``",
        """
        from yellowbrick.model_selection import LearningCurve

        LearningCurve(model).fit(X, y).show()
        """,
    ),
]


def read_versions():
    """Return the version of each distribution that is tested."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def write_table(path):
    """Write the list for the documentation, with the lines to write as code."""
    versions = read_versions()
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for friend in FRIENDS:
            code = textwrap.indent(textwrap.dedent(friend.lines).strip(), "   ")
            what = f"{friend.works}\n\n.. code-block:: python\n\n{code}"
            writer.writerow([friend.tool, versions[friend.distribution], what])
