"""
The weights of hidden units, and saliency
=========================================

Each unit of the first layer has one weight per pixel. Drawn as an image, the weights
show the pattern that the unit responds to. The gradient of the logit of a class with
respect to the pixels, the saliency, shows which pixels of an image count for or against
that class.
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

model = make_pipeline(
    ImageScaler(max_intensity=X.max()),
    MNISTMLPClassifier(
        optimizer="adamw", optimizer_params={"weight_decay": 0.1}, random_state=0
    ),
)
model.fit(X_train, y_train)
print(f"{data}, test accuracy {model.score(X_test, y_test):.4f}")

# %%
# The first layer
# ---------------
# Ink where the weights are positive (red) increases the activation of the unit, ink
# where they are negative (blue) decreases it. The units with the largest weights come
# first.

import matplotlib.pyplot as plt

from skmnist import ImageGridDisplay

ImageGridDisplay.from_hidden_units(model, n_images=16, n_columns=4)
plt.show()

# %%
# A linear model for comparison
# -----------------------------
# Without a hidden layer, each unit belongs to a class, and its weights look like a
# blurred template of the digit.

linear = make_pipeline(
    ImageScaler(max_intensity=X.max()),
    MNISTMLPClassifier(
        (), optimizer="adamw", optimizer_params={"weight_decay": 0.1}, random_state=0
    ),
)
linear.fit(X_train, y_train)
print(f"test accuracy {linear.score(X_test, y_test):.4f}")
ImageGridDisplay.from_hidden_units(linear, n_columns=4)
plt.show()

# %%
# Saliency
# --------
# More ink on a red pixel raises the logit of the predicted class, and more ink on a
# blue pixel lowers it.

ImageGridDisplay.from_saliency(model, X_test[:8], n_columns=4)
plt.show()

# %%
# The gradient of the logit of class 8, for the same images:

ImageGridDisplay.from_saliency(model, X_test[:8], target=8, n_columns=4)
plt.show()
