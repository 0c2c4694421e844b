"""What the scripts of all readers share: a folder to write to, and no figures left."""

import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Let a script write its files where it is run."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    plt.close("all")
