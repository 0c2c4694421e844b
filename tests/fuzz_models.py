"""Load models' files that somebody has changed who knows the format, and use them.

python tests/fuzz_models.py [NUMBER [SEED]]: files of all kinds of models are changed by
the grammar of their schema. Each is loaded, and what loads is displayed, cloned and
predicts, in a process with a limit on its memory. It prints what took most, and fails
where a file takes more than its share or ends the process, or where all end alike.
"""

import copy
import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np

import forgery
from conftest import CLEAR_REFS, read_peak_memory

MAX_SECONDS = 2
MAX_MEGABYTES = 200
# What a process may take at all, so that no file takes the machine.
BACKSTOP = 2 * 2**30
N_ROWS, N_PIXELS = 50, 16
N_WORKERS = os.cpu_count() or 1
CHUNK = 500
MAX_ARRAY_SIZE = 800_000
MAX_FILE_SIZE = 1_000_000


def main(number=5000, seed=0):
    """Fuzz in processes of their own, and print what took most."""
    seeds = range(int(seed), int(seed) + int(number))
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(N_WORKERS) as pool:
        write_models(Path(folder))
        results = list(pool.map(functools.partial(fuzz, folder), chunks))
    outcomes = sum((Counter(r["outcomes"]) for r in results), start=Counter())
    seconds = max(result["seconds"] for result in results)
    megabytes = max(result["megabytes"] for result in results)
    print(f"{dict(outcomes)}; at most {seconds[0]:.2f} s (seed {seconds[1]})", end=", ")
    print(f"{megabytes[0]:.0f} MB (seed {megabytes[1]})")
    if seconds[0] > MAX_SECONDS or megabytes[0] > MAX_MEGABYTES:
        sys.exit("A file took more than its share.")
    if not {"loaded", "refused"} <= outcomes.keys():
        sys.exit("Some files must load, and others be refused.")


def fuzz(folder, seeds):
    """Fuzz in a process; name the seed that ended it."""
    command = [sys.executable, __file__, "--worker", folder, seeds.start, seeds.stop]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, text=True, env=environment
    )
    *_, last = process.stdout.splitlines() or ["nothing"]
    if process.returncode:
        sys.exit(f"Seed {last} ended the process: {process.returncode}.")
    return json.loads(last)


def work(folder, start, stop):
    """Fuzz with seeds, printing each before its turn."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    corpus = [read_members(path) for path in sorted(Path(folder).iterdir())]
    path = Path(folder).parent / f"fuzz-{os.getpid()}.skmnist"
    X = np.random.default_rng(0).random((N_ROWS, N_PIXELS))
    for members in corpus:  # what is imported at first use counts for no file
        write_file(path, *members)
        use(path, X)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + BACKSTOP, size + BACKSTOP))
    outcomes = Counter()
    slowest, largest = (0.0, start), (0.0, start)
    for number in range(start, stop):
        print(number, flush=True)
        write_file(path, *changed(corpus, np.random.default_rng(number)))
        if path.stat().st_size > MAX_FILE_SIZE:
            outcomes["too large to count"] += 1
            continue
        CLEAR_REFS.write_text("5")  # resets the peak
        before, begin = read_peak_memory(), time.perf_counter()
        with joblib.parallel_config(backend="sequential"):  # n_jobs starts processes
            outcomes[use(path, X)] += 1
        slowest = max(slowest, (time.perf_counter() - begin, number))
        largest = max(largest, (read_peak_memory() - before, number))
    path.unlink()
    print(json.dumps({"outcomes": outcomes, "seconds": slowest, "megabytes": largest}))


def use(path, X):
    """Load a model and do with it what is safe with a stranger's."""
    from sklearn.base import clone

    from skmnist import load_model

    try:
        model = load_model(path)
    except ValueError:
        return "refused"
    uses = [
        lambda: repr(model),
        lambda: clone(model),
        lambda: model.get_params(),
        lambda: model._repr_html_(),
        lambda: model.history_,
        lambda: model.predict(X),
        lambda: model.predict_proba(X),
        lambda: model.transform(X),
    ]
    for use_once in uses:
        try:
            use_once()
        except MemoryError:
            raise
        except Exception:  # a model may be broken
            continue
    return "loaded"


def write_models(folder):
    """Write a file of each kind of model there is."""
    from skmnist import save_model

    warnings.simplefilter("ignore")
    for number, model in enumerate(make_models()):
        save_model(model, folder / f"{number:02}.skmnist")


def make_models():
    from sklearn import (
        calibration,
        cluster,
        compose,
        cross_decomposition,
        decomposition,
        discriminant_analysis,
        ensemble,
        feature_selection,
        impute,
        kernel_approximation,
        linear_model,
        model_selection,
        neighbors,
        neural_network,
        pipeline,
        preprocessing,
        random_projection,
    )
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import HalvingGridSearchCV

    from skmnist import ImageCenterer, ImageScaler, MNISTMLPClassifier

    rng = np.random.default_rng(0)
    X = rng.random((90, N_PIXELS)).astype(np.float32)
    y = np.arange(90) % 3
    levels = (X[:, :3] * 4).astype(int)

    def small(**settings):
        return MNISTMLPClassifier((4,), max_epochs=2, random_state=0, **settings)

    scalers = [
        preprocessing.StandardScaler(),
        preprocessing.MinMaxScaler(),
        preprocessing.MaxAbsScaler(),
        preprocessing.RobustScaler(),
        preprocessing.Normalizer(),
        preprocessing.Binarizer(),
        preprocessing.QuantileTransformer(n_quantiles=9),
        preprocessing.PowerTransformer(),
        preprocessing.KBinsDiscretizer(encode="onehot-dense"),
        preprocessing.FunctionTransformer(np.log1p),
        decomposition.PCA(3, whiten=True),
        decomposition.IncrementalPCA(3),
        decomposition.TruncatedSVD(3),
        decomposition.FastICA(3),
        decomposition.FactorAnalysis(3),
        feature_selection.SelectKBest(k=4),
        feature_selection.VarianceThreshold(),
        impute.SimpleImputer(add_indicator=True),
        ImageScaler(1),
        ImageCenterer(8, box=6),
    ]
    linear = linear_model.LogisticRegression()
    scalers += [
        cluster.KMeans(3),
        cluster.MiniBatchKMeans(3),
        cross_decomposition.PLSRegression(2),
        cross_decomposition.PLSSVD(1),
        decomposition.DictionaryLearning(3, max_iter=2),
        decomposition.KernelPCA(3, kernel="rbf"),
        decomposition.LatentDirichletAllocation(3, max_iter=2),
        decomposition.MiniBatchDictionaryLearning(
            3, max_iter=2, transform_algorithm="lasso_cd"
        ),
        decomposition.MiniBatchNMF(3),
        decomposition.NMF(3),
        decomposition.SparseCoder(X[:9]),
        decomposition.SparsePCA(2, max_iter=3),
        impute.KNNImputer(missing_values=0, add_indicator=True),
        discriminant_analysis.LinearDiscriminantAnalysis(),
        feature_selection.RFE(linear, step=0.5),
        feature_selection.SelectFromModel(linear),
        kernel_approximation.AdditiveChi2Sampler(),
        kernel_approximation.Nystroem(n_components=5),
        kernel_approximation.PolynomialCountSketch(n_components=20),
        kernel_approximation.RBFSampler(n_components=20),
        kernel_approximation.SkewedChi2Sampler(n_components=20),
        neighbors.NeighborhoodComponentsAnalysis(2, max_iter=3),
        neural_network.BernoulliRBM(3, n_iter=2),
        preprocessing.PolynomialFeatures(),
        random_projection.GaussianRandomProjection(20),
    ]
    encoders = [
        preprocessing.OneHotEncoder(drop="first", sparse_output=False),
        preprocessing.OneHotEncoder(min_frequency=20, handle_unknown="ignore"),
        preprocessing.OrdinalEncoder(),
        preprocessing.TargetEncoder(),
    ]
    some = slice(2, 9)
    columns = [
        ("a", preprocessing.StandardScaler(), [0, 1]),
        ("b", "passthrough", some),
    ]
    union = [("a", preprocessing.MinMaxScaler()), ("b", decomposition.PCA(2))]
    models = [
        small(),
        small(class_weight={0: 1, 1: 2, 2: 3}, early_stopping=True),
        small(validation_split=model_selection.StratifiedKFold(3), optimizer="sgd"),
        compose.ColumnTransformer(columns, remainder="drop"),
        pipeline.FeatureUnion(union),
        pipeline.make_pipeline(ImageScaler(1), small()),
        ensemble.VotingClassifier([("a", small()), ("b", linear)], voting="soft"),
        ensemble.StackingClassifier([("a", small()), ("b", linear)], cv=2),
        calibration.CalibratedClassifierCV(small(), cv=2),
        calibration.CalibratedClassifierCV(small(), cv=2, method="isotonic"),
        model_selection.GridSearchCV(
            pipeline.make_pipeline(preprocessing.StandardScaler(), linear),
            {"standardscaler": [None, preprocessing.MinMaxScaler()]},
            scoring=["accuracy", "f1_macro"],
            refit="accuracy",
        ),
        HalvingGridSearchCV(
            small(), {"dropout": [0.1, 0.5]}, cv=2, min_resources=40, random_state=0
        ),
    ]
    fitted = [model.fit(X, y) for model in [*models, *scalers]]
    fitted.append(small(label_smoothing=0.1).fit(X, np.column_stack([y == 0, y == 1])))
    return fitted + [encoder.fit(levels, y) for encoder in encoders]


def read_members(path):
    members = forgery.members_of(path)
    return json.loads(members.pop(forgery.SCHEMA)), members


def write_file(path, schema, members):
    forgery.forge(path, [*members.items(), (forgery.SCHEMA, json.dumps(schema))])


def changed(corpus, rng):
    """Return a schema with a few nodes changed, and its arrays, each there once."""
    schema, members = copy.deepcopy(choose(corpus, rng))
    others = choose(corpus, rng)
    for _ in range(rng.integers(1, 4)):
        places = list(find_places(schema))
        container, key = choose(places, rng)
        donor, donor_key = choose(list(find_places(others[0])), rng)
        change = choose(CHANGES, rng)
        new = change(container[key], donor[donor_key], rng)
        container[key] = copy.deepcopy(new)
    kept = {}
    for number, node in enumerate(find_arrays(schema)):
        if isinstance(node.get("array"), list):
            content = made_array(*node.pop("array"))
        else:
            content = members.get(node["file"], others[1].get(node["file"], b""))
        node["file"] = f"{number}.npy"
        kept[node["file"]] = content
    return schema, kept


def find_places(node):
    """Yield where the nodes of a schema stand: a container, and a key or index."""
    containers = [node]
    while containers:
        container = containers.pop()
        keys = container if isinstance(container, dict) else range(len(container))
        for key in keys:
            part = container[key]
            if isinstance(part, (dict, list)):
                containers.append(part)
                if isinstance(part, dict) and "__loader__" in part:
                    yield container, key


def find_arrays(schema):
    for container, key in list(find_places({"root": schema})):
        node = container[key]
        if "file" in node:
            yield node


def choose(items, rng):
    return items[rng.integers(len(items))]


def by_another(node, donor, rng):
    return donor


def by_scalar(node, donor, rng):
    texts = ["null", "true", "NaN", "-1", "0", "7", "1e308", "9" * 30, "9" * 4000]
    texts += ['"' + "x" * n + '"' for n in (0, 1, 900, 100_000)]
    texts += ['"predict"', '"fit"', '"drop"', '"onehot"', '"hpu"', "[1, 2]", "{}"]
    content = {"content": str(choose(texts, rng)), "is_json": True}
    return forgery.node("JsonNode", "builtins.str", **content)


def by_array(node, donor, rng):
    shapes = [(), (0,), (1,), (3,), (4,), (N_PIXELS,), (3, N_PIXELS), (9, N_PIXELS)]
    shapes += [(1000, N_PIXELS)]
    shapes += [(50, 1), (100_000,), (1, 100_000), (100_000, 1), (300, 1, 300), (1,) * 5]
    dtypes = ["f8", "f4", "i8", "i1", "?", "<U1", "<U500", "S3", "f2", "c8"]
    values = [0, 1, 10**6, -(10**6)]
    shape, dtype = list(choose(shapes, rng)), str(choose(dtypes, rng))
    if np.prod(shape) * np.dtype(dtype).itemsize > MAX_ARRAY_SIZE:
        dtype = "i1"
    array = [shape, dtype, int(choose(values, rng))]
    return forgery.node(
        "NdArrayNode", "numpy.ndarray", type="numpy", file="", array=array
    )


def by_number(node, donor, rng):
    """Return a number of NumPy's, which overflows where Python's would not."""
    dtype = str(choose(["i4", "i8", "u1", "f4", "f8", "?"], rng))
    array = [[], dtype, int(choose([0, 1, 50, 6000, 2**31 - 1, -1], rng))]
    type_name = f"numpy.{np.dtype(dtype).name}"
    return forgery.node("NdArrayNode", type_name, type="numpy", file="", array=array)


def made_array(shape, dtype, value):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return forgery.npy(np.full(shape, value).astype(dtype))


def by_more(node, donor, rng):
    """Repeat the parts of a container, up to half a megabyte of them."""
    content = node.get("content")
    if isinstance(content, list) and content:
        n_times = int(choose([2, 10, 1000], rng))
        n_times = max(1, min(n_times, 500_000 // (len(json.dumps(content)) + 1)))
        return {**node, "content": content * n_times}
    return node


def by_fewer(node, donor, rng):
    content = node.get("content")
    if isinstance(content, list):
        return {**node, "content": content[: rng.integers(len(content) + 1)]}
    if is_dict(node) and content:
        lost = rng.integers(len(content))
        types = node["key_types"]
        kept = [t for i, t in enumerate(types["content"]) if i != lost]
        parts = {k: v for i, (k, v) in enumerate(content.items()) if i != lost}
        return {**node, "content": parts, "key_types": {**types, "content": kept}}
    return node


def is_dict(node):
    """Tell whether a node is a dict's, and whole: changes may have broken it."""
    types = node.get("key_types")
    return (
        node["__loader__"] == "DictNode"
        and isinstance(node.get("content"), dict)
        and isinstance(types, dict)
        and isinstance(types.get("content"), list)
    )


def by_attribute(node, donor, rng):
    """Add an attribute or an item to a dict."""
    if not is_dict(node):
        return node
    names = ["_doc_link_template", "__class__", "n_features_in_", "classes_", "memory"]
    names += ["n_jobs", "transform", "predict", "__setstate__", "x" * 5000]
    types = node["key_types"]
    return {
        **node,
        "content": {**node["content"], str(choose(names, rng)): donor},
        "key_types": {
            **types,
            "content": [*types["content"], forgery.node("TypeNode", "builtins.str")],
        },
    }


def by_class(node, donor, rng):
    """Give a node the class of another, or another class that is trusted."""
    from skmnist.persistence._trusted import CLASSES, FUNCTIONS, TYPES

    names = list(choose([CLASSES, FUNCTIONS, TYPES], rng))
    module, _, name = str(choose(names, rng)).rpartition(".")
    return {**node, "__class__": name, "__module__": module}


def by_loader(node, donor, rng):
    loaders = ["DictNode", "ListNode", "TupleNode", "ObjectNode", "JsonNode"]
    loaders += ["MaskedArrayNode", "NdArrayNode", "DTypeNode", "SliceNode", "TypeNode"]
    return {**node, "__loader__": str(choose(loaders, rng))}


def by_nesting(node, donor, rng):
    for _ in range(choose([1, 5, 50], rng)):
        node = forgery.node("ListNode", "builtins.list", content=[node])
    return node


CHANGES = [
    *(by_another, by_another, by_scalar, by_scalar, by_number, by_array, by_array),
    *(by_class, by_class, by_more, by_fewer, by_attribute, by_loader, by_nesting),
]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(sys.argv[2], *map(int, sys.argv[3:]))
    else:
        main(*sys.argv[1:])
