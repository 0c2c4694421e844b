"""The pages: their code runs, their links hold, and a browser shows them well."""

import doctest
import gzip
import re
import shutil
import textwrap
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

import skmnist
from skmnist import _sources
from small_mnist import make_idx

DOCS = Path(__file__).parents[1] / "docs"
if not DOCS.exists():
    pytest.skip("unavailable here: docs, which an sdist lacks", allow_module_level=True)
SITE = DOCS / "_build" / "html"
PAGES = sorted([*DOCS.glob("*.rst"), *DOCS.glob("user_guide/*.rst")])
README = DOCS.parent / "README.md"
EXAMPLES = sorted(DOCS.glob("examples/*.py"))

# What numpydoc wants and we do not: an extended summary, See Also and examples for
# every method; a returned value without a name; See Also with a capital, where
# scikit-learn begins with a small letter.
UNWANTED_CHECKS = {"ES01", "SA01", "EX01", "RT02", "SA03"}
# Their examples are shown only: they download.
NOT_RUNNABLE = {"fetch_fashion_mnist", "fetch_kmnist", "fetch_mnist"}

# Numbers that are measured: fractions, percentages, times, sizes and ratios.
COUNT = (
    r"(?:\d[\d,.]*|half an?|an?|one|two|three|four|five|six|seven|eight|nine|ten|"
    r"twenty|thirty|forty|fifty|hundred)"
)
MEASURED = re.compile(
    rf"(?:\b{COUNT}(?:\s+(?:to|or)\s+|-))?\b{COUNT}[\s-]+"
    r"(?:milliseconds?|second(?!\s+\w)|seconds|minutes?|hours?|m?s|[kMG]i?B"
    r"|(?:mega|giga)bytes?|times\s+(?:as|\w+er|more|less))\b"
    r"|\bfactor\s+of\s+\d+|(?<![\w.])\d+(?:\.\d+)?%|(?<![\w.])\d+\.\d+(?!\.?\d)"
)
VERSIONS = re.compile(
    r"\b(?:Python|scikit-learn|PyTorch|version|BY-SA|doi:)\s?\d[\d./]*"
)
# Code with what it prints, blocks that are shown as they are, and literals.
CODE = re.compile(
    r"^ *>>> (?:.*\S.*\n)+"
    r"|^( *)\.\. (?:code-block|raw|parsed-literal)::.*\n(?:\1 +.*\n|\s*\n)+"
    r"|^```(?:.*\n)+?```$"
    r"|``[^`]+``|`[^`]+`_*",
    re.MULTILINE,
)
# The pages may say how large a data set is: the code says so too.
SIZES = " ".join(
    f"{sum(size for size, _ in source.files.values()) / 1e6:.0f} MB"
    for source in (_sources.MNIST, _sources.FASHION_MNIST, _sources.KMNIST)
)

# Text and pictures that leave their box or the screen, where nothing scrolls.
FIND_WHAT_IS_CUT_OFF = """() => {
    const scrolls = element => /auto|scroll/.test(getComputedStyle(element).overflowX);
    const isHeld = element => {
        const edge = "article, .prev-next-area";
        for (let e = element; e && !e.matches(edge); e = e.parentElement)
            if (scrolls(e)) return true;
        return false;
    };
    const elements = document.querySelectorAll(
        "article :is(h1, h2, h3, p, li, dt, dd, pre, img, table), .prev-next-area a"
    );
    return [...elements].filter(element => {
        const { right, width } = element.getBoundingClientRect();
        const leaves = right > innerWidth + 1
            || element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0;
        return width > 0 && leaves && !isHeld(element);
    }).map(element => element.outerHTML.slice(0, 200));
}"""
FIND_BROKEN_IMAGES = """() => [...document.images]
    .filter(image => image.complete && image.naturalWidth === 0)
    .map(image => image.src)"""


@pytest.fixture(scope="module")
def site():
    if not (SITE / "index.html").exists():
        pytest.skip("unavailable here: docs/_build/html, which make docs builds")
    return SITE


@pytest.fixture(scope="module")
def browser(site):
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    if "save_model(" in page.read_text(encoding="utf-8"):
        pytest.importorskip("skops")
    monkeypatch.chdir(tmp_path)
    failures, _ = doctest.testfile(
        str(page), module_relative=False, optionflags=doctest.ELLIPSIS, encoding="utf-8"
    )
    assert failures == 0


@pytest.mark.parametrize("first_line", ["import gzip", "from pathlib import Path"])
def test_the_lines_that_read_ones_own_data_do_so(first_line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images, labels = np.arange(2 * 784).reshape(2, 28, 28) % 256, np.array([3, 5])
    for name, values in [("images-idx3", images), ("labels-idx1", labels)]:
        Path(f"{name}-ubyte.gz").write_bytes(gzip.compress(make_idx(values)))
    for image, label in zip(images.astype(np.uint8), labels, strict=True):
        Path("images", str(label)).mkdir(parents=True)
        Image.fromarray(image).save(Path("images", str(label), "image.png"))
    page = (DOCS / "user_guide" / "inputs.rst").read_text(encoding="utf-8")
    lines = re.search(rf"^   {first_line}\n(?:   .*\n|\n)+", page, re.MULTILINE)[0]
    found = {"np": np}

    exec(textwrap.dedent(lines), found)

    assert_array_equal(found["X"], images)
    assert found["y"].astype(int).tolist() == labels.tolist()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_run_and_draws_a_picture(site, example):
    page = site / "auto_examples" / f"{example.stem}.html"
    assert f"sphx_glr_{example.stem}_001.png" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_a_picture_of_an_example_says_what_is_seen(site, example):
    page = (site / "auto_examples" / f"{example.stem}.html").read_text(encoding="utf-8")

    described = re.findall(r'<img src="[^"]*sphx_glr_plot[^>]* alt="([^"]*)"', page)

    assert described
    assert example.stem.replace("_", " ") not in described  # what it is without a title


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_no_number_that_it_does_not_print(site, example):
    source = example.read_text(encoding="utf-8")
    prose = re.compile(r'\A"""(?:.|\n)*?"""|^#.*', re.MULTILINE)
    code = prose.sub("", source)
    page = (site / "auto_examples" / f"{example.stem}.html").read_text(encoding="utf-8")
    outputs = re.findall(r"(?s)<pre.*?</pre>|<table.*?</table>", page)

    text = " ".join(prose.findall(source))
    printed = code + " ".join(re.sub(r"# .*|<[^>]*>", "", each) for each in outputs)
    assert _find_typed_numbers(CODE.sub("", text), printed) == []


@pytest.mark.parametrize("page", [*PAGES, README], ids=lambda path: path.stem)
def test_a_page_says_no_number_that_nothing_computes(page):
    text = page.read_text(encoding="utf-8")
    code = " ".join(match.group() for match in CODE.finditer(text))

    assert _find_typed_numbers(CODE.sub("", text), f"{code} {SIZES}") == []


@pytest.mark.parametrize(
    "text",
    [
        "An accuracy of 0.98.",
        "It is 98% accurate.",
        "A page takes 4 ms.",
        "It takes about a second.",
        "It takes\nhalf a minute.",
        "An epoch takes 1.5 to 25 seconds.",
        "The file has 3 GB.",
        "It is four times as fast.",
        "Training is 2-3 times slower.",
        "It gains a factor of 7.",
    ],
)
def test_a_typed_number_is_found(text):
    assert len(_find_typed_numbers(text, printed="a 0.9 b 0.987 c 14 ms")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "It needs Python 3.11, scikit-learn 1.9 or PyTorch 2.4.0.",
        "Images have 28 by 28 pixels, and X is a second array.",
        "An accuracy of 0.95.",
        "Fit many times, or three times four fits.",
    ],
)
def test_other_numbers_are_left_alone(text):
    assert _find_typed_numbers(text, printed="accuracy: 0.95") == []


def test_every_public_name_has_an_example_that_runs():
    finder = doctest.DocTestFinder(recurse=False)
    without = {
        name
        for name in skmnist.__all__
        if not any(
            doctest.SKIP not in example.options
            and not example.source.startswith(("from ", "import "))
            for test in finder.find(getattr(skmnist, name), name)
            for example in test.examples
        )
    }
    assert without == NOT_RUNNABLE


# numpydoc is installed where the pages are built.
@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("name", skmnist.__all__)
def test_the_docstrings_are_what_numpydoc_wants(name):
    validate = pytest.importorskip("numpydoc.validate").validate
    public = getattr(skmnist, name)
    whole_name = f"{public.__module__}.{public.__qualname__}"
    methods = [
        f"{whole_name}.{method}"
        for method in (vars(public) if isinstance(public, type) else ())
        if not method.startswith(("_", "set_"))
    ]
    problems = {
        (documented, code, message)
        for documented in [whole_name, *methods]
        for code, message in validate(documented)["errors"]
        if code not in UNWANTED_CHECKS
    }
    assert problems == set()


@pytest.mark.parametrize("name", skmnist.__all__)
def test_every_public_name_has_a_page(site, name):
    # scikit-learn's HTML repr of an estimator links there.
    assert (site / "generated" / f"skmnist.{name}.html").exists()


@pytest.mark.parametrize(
    "name",
    [name for name in skmnist.__all__ if isinstance(getattr(skmnist, name), type)],
)
def test_the_page_of_every_class_links_an_example(site, name):
    page = (site / "generated" / f"skmnist.{name}.html").read_text(encoding="utf-8")
    assert re.search(r'href="\.\./auto_examples/plot_\w+\.html', page)


def test_all_links_and_images_of_the_pages_are_there(site):
    documents = _read_site(site)
    broken = [
        f"{path.relative_to(site)}: {link}"
        for path, document in documents.items()
        for link in document.links
        if not _leads_somewhere(path, link, documents)
    ]
    assert broken == []


def test_the_pages_load_nothing_from_elsewhere(site):
    elsewhere = {
        resource
        for document in _read_site(site).values()
        for resource in document.resources
        if urlsplit(resource).netloc
    }
    assert elsewhere == set()


@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
@pytest.mark.parametrize(
    "name",
    [
        "index.html",
        "install.html",
        "user_guide/coming_from.html",
        "generated/skmnist.MNISTMLPClassifier.html",
        "auto_examples/index.html",
        "auto_examples/plot_lecture.html",
        "auto_examples/plot_mistakes.html",
        "auto_examples/plot_accuracy.html",
        "auto_examples/plot_your_own_digits.html",
    ],
)
def test_a_browser_shows_a_page_well(browser, site, name, width):
    problems = []
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.on("console", lambda line: line.type == "error" and problems.append(line.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: problems.append(request.url))
    page.goto((site / name).as_uri(), wait_until="load")
    problems += page.evaluate(FIND_BROKEN_IMAGES)
    problems += page.evaluate(FIND_WHAT_IS_CUT_OFF)
    page.close()
    assert problems == []


def _find_typed_numbers(text, printed):
    """Return the measured numbers in a text that are not printed."""
    return [
        number
        for number in MEASURED.findall(VERSIONS.sub("", text))
        if not re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", printed)
    ]


class _Document(HTMLParser):
    def __init__(self):
        super().__init__()
        self.anchors, self.links, self.resources = set(), set(), set()

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        is_resource = tag in ("img", "script") or values.get("rel") == "stylesheet"
        for link in filter(None, (values.get("href"), values.get("src"))):
            self.links.add(link)
            if is_resource:
                self.resources.add(link)


def _read_site(site):
    documents = {}
    for path in set(site.rglob("*.html")) - set(site.glob("_static/**/*.html")):
        documents[path] = _Document()
        documents[path].feed(path.read_text(encoding="utf-8"))
    return documents


def _leads_somewhere(path, link, documents):
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target not in documents:
        return target.is_file()
    return not parts.fragment or unquote(parts.fragment) in documents[target].anchors
