"""
The mistakes of a classifier
============================

The test accuracy tells how often a classifier is correct. This example shows its
mistakes: which digits are confused with each other, how confident the wrong predictions
are, and what the images look like.
"""

# %%
# A model to evaluate
# -------------------

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier, evaluate, fetch_mnist

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
    ImageScaler(max_intensity=X.max()), MNISTMLPClassifier(random_state=0)
)
model.fit(X_train, y_train)
print(f"{data}, {len(X_test):,} test images")
evaluate(model, X_test, y_test).round(4)

# %%
# The confusion matrix of the mistakes
# ------------------------------------
# The numbers on the diagonal of a confusion matrix are so large that the colors hardly
# show the mistakes. Therefore correct predictions get the weight zero here. If the
# names of the classes are long, add ``xticks_rotation="vertical"``.

import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay

y_pred = model.predict(X_test)
confusion = ConfusionMatrixDisplay.from_predictions(
    y_test, y_pred, sample_weight=y_pred != y_test, values_format=".0f", cmap="Blues"
)
confusion.ax_.set_title("Number of mistakes by true and predicted label")
plt.show()

# %%
# A table of the mistakes
# -----------------------
# :func:`skmnist.misclassified` returns a table of the mistakes: the index of the image,
# its true and its predicted label, the probability of the predicted label, and the
# margin by which it exceeds the probability of the true label.

from skmnist import misclassified

mistakes = misclassified(model, X_test, y_test)
mistakes.head().round(3)

# %%
# The images
# ----------
# The most confident mistakes come first. Some of these digits are hard to read for
# people too.

from skmnist import ImageGridDisplay

ImageGridDisplay.from_misclassified(model, X_test, y_test, n_images=15, n_columns=3)
plt.show()

# %%
# The most frequent kind of mistake:

true, predicted = mistakes.value_counts(["true", "predicted"]).index[0]
ImageGridDisplay.from_misclassified(
    model, X_test, y_test, true=true, predicted=predicted, n_images=9, n_columns=3
)
plt.show()
