"""Test what is built: `make test-wheel` and `make test-sdist` run this file.

Each distribution goes into a new environment in a folder outside the checkout, where
the source tree cannot be imported by mistake.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIND_PACKAGE = """
import sysconfig
from pathlib import Path
import skmnist
installed = Path(sysconfig.get_path("purelib")).resolve()
assert installed in Path(skmnist.__file__).resolve().parents, skmnist.__file__
"""


def check_wheel(folder):
    wheel = find_distribution("*.whl")
    assert "skmnist/py.typed" in zipfile.ZipFile(wheel).namelist()
    environment = Environment(folder / "environment")
    environment.install(wheel, constraints=ROOT / "constraints.txt")
    shutil.copy(ROOT / "README.md", folder)
    environment.run("python", "-c", FIND_PACKAGE, cwd=folder)
    environment.run("python", "-m", "doctest", "README.md", cwd=folder)
    environment.run("skmnist", "--version", cwd=folder)


def check_sdist(folder, *pytest_arguments):
    sdist = find_distribution("*.tar.gz")
    shutil.unpack_archive(sdist, folder)
    source = folder / sdist.name.removesuffix(".tar.gz")
    environment = Environment(folder / "environment")
    environment.install(f"{source}[test]", constraints=source / "constraints.txt")
    environment.run("python", "-m", "pytest", *pytest_arguments, cwd=source)


def find_distribution(pattern):
    (path,) = ROOT.glob(f"dist/{pattern}")
    return path


class Environment:
    def __init__(self, folder):
        venv.create(folder, with_pip=True)
        self.scripts = folder / ("Scripts" if os.name == "nt" else "bin")

    def install(self, distribution, *, constraints):
        # What is imported is compiled then; to compile all takes half of the time.
        options = ["--quiet", "--no-compile", "--constraint", constraints]
        self.run("pip", "install", *options, distribution)

    def run(self, command, *arguments, cwd=None):
        # A PYTHONPATH of the caller could hold the source tree.
        variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        command = [self.scripts / command, *arguments]
        subprocess.run(command, cwd=cwd, env=variables, check=True)


if __name__ == "__main__":
    kind, *arguments = sys.argv[1:]
    check = {"wheel": check_wheel, "sdist": check_sdist}[kind]
    with tempfile.TemporaryDirectory() as folder:
        check(Path(folder).resolve(), *arguments)
