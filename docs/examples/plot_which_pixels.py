"""
Explaining predictions with captum and SHAP
===========================================

Which pixels cause the network to predict a digit as a 4? This example compares three
methods on the same images: the gradient, which skmnist can also plot, integrated
gradients from `captum <https://captum.ai>`_, and the values of `SHAP
<https://shap.readthedocs.io>`_. Both libraries accept the fitted network, which is a
PyTorch module. This example needs ``pip install captum shap``.
"""

# %%
# A fitted model
# --------------

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier, fetch_mnist

try:
    X, y = fetch_mnist(subset="all", return_X_y=True, download_if_missing=False)
    data = "MNIST"
except OSError:
    X, y = load_digits(return_X_y=True)
    data = "scikit-learn's digits"
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1 / 7, shuffle=False
)

scaler = ImageScaler(max_intensity=X.max())
classifier = MNISTMLPClassifier(
    max_epochs=5,
    optimizer="adamw",
    optimizer_params={"weight_decay": 0.1},
    random_state=0,
)
model = make_pipeline(scaler, classifier).fit(X_train, y_train)
print(f"{data}, test accuracy {model.score(X_test, y_test):.4f}")

# %%
# The network and the images
# --------------------------
# ``module_`` maps scaled pixels to logits. The logit of the predicted class is
# explained, for one image of each of six digits.

import math

import numpy as np
import torch

module = classifier.module_
chosen = np.unique(y_test, return_index=True)[1][4:]
images = torch.from_numpy(scaler.transform(X_test[chosen])).requires_grad_()
predicted = module(images).argmax(dim=1)
print("true:     ", *y_test[chosen])
print("predicted:", *predicted.numpy())

# %%
# The gradient
# ------------
# The gradient shows how the logit would change with a little more ink on a pixel,
# whether or not there is ink now. :meth:`skmnist.ImageGridDisplay.from_saliency` plots
# it in one line.

from captum.attr import IntegratedGradients, Saliency

gradients = Saliency(module).attribute(images, target=predicted, abs=False)

# %%
# Integrated gradients
# --------------------
# Integrated gradients show how the ink of the image contributes to the logit, compared
# with an empty image. The gradient is averaged on the straight line from the empty
# image to this image, and multiplied by the ink. The value of pixels without ink is
# zero.

integrated = IntegratedGradients(module).attribute(
    images, target=predicted, n_steps=200
)

# %%
# SHAP values
# -----------
# SHAP compares with other images, not with an empty one, so missing ink contributes to
# the logit too. DeepExplainer propagates the differences through the layers.

import shap

others = torch.from_numpy(scaler.transform(X_train[:200]))
values = shap.DeepExplainer(module, others).shap_values(images)
shap_values = values[np.arange(len(chosen)), :, predicted]

# %%
# The sum of the values of an image is the difference between its logit and the logit of
# the empty image, or the mean logit of the other images:

with torch.no_grad():
    logits = module(images).gather(1, predicted[:, None])[:, 0]
    of_empty = module(torch.zeros_like(images)).gather(1, predicted[:, None])[:, 0]
    of_others = module(others).mean(dim=0)[predicted]

import pandas as pd

pd.DataFrame(
    {
        "logit - empty image's": logits - of_empty,
        "integrated gradients": integrated.sum(dim=1).detach(),
        "logit - other images'": logits - of_others,
        "SHAP values": shap_values.sum(axis=1),
    },
    index=pd.Index(predicted.numpy(), name="digit"),
).round(2)

# %%
# Side by side
# ------------
# Red pixels count for the predicted digit, blue pixels against it. The values of each
# image are divided by the largest one. The gradient is spread over the whole image,
# integrated gradients are nonzero only where there is ink, and SHAP also shows gaps in
# the ink that distinguish a digit from others.

import matplotlib.pyplot as plt

from skmnist import ImageGridDisplay

methods = {
    "gradient": gradients.detach().numpy(),
    "integrated": integrated.detach().numpy(),
    "SHAP": shap_values,
}
size = math.isqrt(X.shape[1])
ink = images.detach().numpy().reshape(-1, size, size)
shown = np.stack(list(methods.values()), axis=1)  # a row for each digit
shown = shown / np.abs(shown).max(axis=-1, keepdims=True)
ImageGridDisplay(
    shown.reshape(-1, size, size),
    titles=[f"{name}, {digit}" for digit in predicted for name in methods],
    outlines=np.repeat(ink, len(methods), axis=0),
    value_name="share of the largest value",
    title="Pixels for the predicted digit (red) and against it (blue)",
).plot(n_columns=len(methods))
plt.show()
