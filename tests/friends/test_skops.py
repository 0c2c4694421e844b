"""skops: a card that describes a model."""

from skops.card import Card


def test_a_card_tells_of_the_parameters_and_the_score(digits, fitted, tmp_path):
    _, X_test, _, y_test = digits
    score = fitted.score(X_test, y_test)

    card = Card(fitted).add_metrics(accuracy=score)
    card.save(tmp_path / "README.md")

    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "mnistmlpclassifier__hidden_layer_sizes" in text
    assert f"{score}" in text
    assert "<style>" in text  # the diagram
