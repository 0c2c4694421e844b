"""The page "Draw a digit" reads what is drawn on it, and reads it as Python does."""

import base64
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from scipy.interpolate import make_interp_spline
from sklearn.pipeline import make_pipeline

import test_docs
from skmnist import ImageCenterer, ImageScaler

sys.path.append(str(test_docs.DOCS))
draw_model = importlib.import_module("draw_model")
site, browser = test_docs.site, test_docs.browser

SIDE = 280
# Digits as lines between points, of 10 x 10.
STROKES = {
    "0": [(5, 2), (3.3, 3.5), (3.3, 6.5), (5, 8), (6.7, 6), (6.6, 3.5), (5, 2)],
    "1": [(5.2, 2), (5, 8)],
    "2": [(3.2, 3.5), (4.5, 2), (6.4, 2.5), (6.6, 4.2), (3.3, 8), (7, 7.8)],
    "3": [(3, 3), (4.5, 2), (6.4, 2.6), (4.8, 4.8), (6.8, 6.6), (5, 8.2), (3, 7.4)],
    "7": [(2.8, 2.2), (7, 2.2), (4.5, 8.2)],
}
# What the scripts below share. An image goes from here to there as text in base64.
HELPERS = """
    const get = name => document.getElementById(name);
    const decode = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    const readChannel = (name, channel) => {
        const canvas = get(name), context = canvas.getContext("2d");
        const image = context.getImageData(0, 0, canvas.width, canvas.height);
        let text = "";
        for (let i = channel; i < image.data.length; i += 4)
            text += String.fromCharCode(image.data[i]);
        return btoa(text);
    };
    const drawDigit = (text, [left, top, side]) => {
        const sheet = new OffscreenCanvas(28, 28), canvas = get("draw-digit");
        const colors = [...decode(text)].flatMap(value => [value, value, value, 255]);
        const image = new ImageData(Uint8ClampedArray.from(colors), 28);
        sheet.getContext("2d").putImageData(image, 0, 0);
        get("draw-clear").click();
        canvas.getContext("2d").drawImage(sheet, left, top, side, side);
        canvas.dispatchEvent(new PointerEvent("pointerup"));
        return get("draw-label").textContent;
    };
"""
DRAW_DIGITS = f"""([digits, places]) => {{
    {HELPERS}
    return digits.map((text, i) =>
        [drawDigit(text, places[i]), readChannel("draw-digit", 0)]);
}}"""
# What each button, with the frame and without, makes of each digit.
CHANGE_DIGITS = f"""digits => {{
    {HELPERS}
    return digits.map(text => {{
        drawDigit(text, [0, 0, 280]);
        return [...document.querySelectorAll("[data-change]")].map(button => {{
            button.click();
            return [0, 1].map(() => {{
                const answer = get("draw-label").textContent;
                get("draw-unframed").click();
                return answer;
            }});
        }});
    }});
}}"""
READ_CHANNEL = (
    f"([name, channel]) => {{ {HELPERS} return readChannel(name, channel); }}"
)
# From pen up to the answer, in milliseconds.
MEASURE_PEN_UP = """() => {
    window.times = [];
    let begin;
    addEventListener("pointerup", () => begin = performance.now(), true);
    addEventListener("pointerup", () => times.push(performance.now() - begin));
}"""


@pytest.fixture(scope="module")
def model(site):
    return draw_model.read_model(site / "_static" / "draw_model.js")


@pytest.fixture(scope="module")
def classifier(model):
    return draw_model.read_classifier(model)


@pytest.fixture
def open_page(browser, site):
    """Open the page, and record its messages and requests as its attributes."""
    pages = []

    def open_page(name="draw.html", width=1280, height=900, **options):
        page = browser.new_page(viewport={"width": width, "height": height}, **options)
        pages.append(page)
        page.messages, page.requests = [], []
        page.on("console", lambda line: page.messages.append(line.text))
        page.on("pageerror", lambda error: page.messages.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto((site / name).as_uri(), wait_until="load")
        return page

    yield open_page
    for page in pages:
        page.close()


def encode(image):
    return base64.b64encode(np.ascontiguousarray(image, np.uint8).tobytes()).decode()


def decode(text):
    return np.frombuffer(base64.b64decode(text), np.uint8)


def read_label(page):
    return page.locator("#draw-label").text_content()


def read_canvas(page, name="draw-digit", channel=0):
    pixels = decode(page.evaluate(READ_CHANNEL, [name, channel]))
    return pixels.reshape(2 * [round(len(pixels) ** 0.5)]).astype(int)


def draw_stroke(page, points):
    box = page.locator("#draw-digit").bounding_box()
    places = np.array(points) / 10 * box["width"] + [box["x"], box["y"]]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()


def keep_picture(picture, name):
    if folder := os.environ.get("SKMNIST_PICTURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, f"{name}.png").write_bytes(picture)


def make_images(digits):
    """Return canvases by name: digits, and what is hard for the frame."""
    rng = np.random.default_rng(0)
    images = {
        f"digit {i}": draw_model.draw(
            digit,
            shift=rng.integers(-40, 40),
            angle=rng.uniform(-30, 30),
            scale=rng.uniform(0.2, 1.2),
        )
        for i, digit in enumerate(digits[:20])
    }
    images |= {f"{i} as in MNIST": digit for i, digit in enumerate(digits[:5])}
    images["almost of the size"] = np.zeros((28, 28))
    images["almost of the size"][3:22, 10:14] = 255
    blank, large = np.zeros((SIDE, SIDE), np.uint8), draw_model.draw(digits[0])
    names = ["thin line", "dot in the corner", "dot at the border", "diagonal"]
    names += ["faint", "pan", "noise"]
    images |= {name: blank.copy() for name in ("blank", *names)}
    images["faint"][100:180, 120:150] = 4
    images["thin line"][140, 20:260] = 255
    images["dot in the corner"][0, 0] = 255
    images["dot at the border"][270:, 130:150] = 255
    np.fill_diagonal(images["diagonal"], 255)
    # Its center is far from the middle, and its handle hangs by the corners of pixels.
    images["pan"][20:120, 20:120] = 255
    images["pan"][120:270, 120:270] = np.kron(np.eye(75), np.full((2, 2), 255))
    noise = rng.integers(-20, 20, (SIDE - 20, SIDE - 20))
    images["noise"][:] = 128
    images["noise"][10:-10, 10:-10] += noise.astype(np.uint8)
    images["digit in noise"] = np.maximum(images["noise"], large)
    images["dark on bright"] = 255 - draw_model.draw(digits[1], scale=0.5)
    images["grey"] = large // 3
    images["haze"] = large.copy()
    images["haze"][120:270, 10:-10] = large[120:270, 10:-10].clip(40)
    images["speck"] = large.copy()
    images["speck"][4:12, 4:12] = 255
    images["neither square nor even"] = large[20:231, :171]
    # The means of such stripes are on the edges of a histogram, in float32 or not.
    images["stripes"] = np.kron(rng.random((140, 140)) > 0.95, [[255, 0], [255, 0]])
    return {name: image.astype(np.uint8) for name, image in images.items()}


def describe(name, image, classifier):
    """Return a canvas, and what Python makes of it."""
    rgba = np.dstack([image, image, image, np.full_like(image, 255)])
    frame = ImageCenterer().transform([rgba])
    scaled = ImageScaler().fit_transform(frame)
    probabilities = classifier.predict_proba(scaled)[0]
    answer = int(probabilities.argmax())
    return {
        "name": name,
        "width": image.shape[1],
        "height": image.shape[0],
        "pixels": encode(rgba),
        "frame": encode(frame),
        "isBlank": not frame.any(),
        "probabilities": probabilities.tolist(),
        "answer": answer,
        "gradient": classifier.net_.input_gradient(scaled, [answer])[0].tolist(),
    }


@pytest.mark.filterwarnings("ignore:.* are blank:UserWarning")
def test_the_frame_and_the_network_are_pythons(site, mnist, classifier, tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node on this machine")
    images = make_images(mnist[2][:20].reshape(-1, 28, 28))
    vectors = [describe(name, image, classifier) for name, image in images.items()]
    (tmp_path / "vectors.json").write_text(json.dumps(vectors))
    files = {
        "DRAW_MODEL": str(site / "_static" / "draw_model.js"),
        "DRAW_VECTORS": str(tmp_path / "vectors.json"),
    }
    script = Path(__file__).with_name("draw.test.js")

    done = subprocess.run(
        [node, "--test", str(script)], env=os.environ | files, capture_output=True
    )

    assert [each["name"] for each in vectors if each["isBlank"]] == ["blank", "noise"]
    assert done.returncode == 0, done.stdout.decode()


def test_the_page_prints_the_accuracy_of_its_weights(site, mnist, classifier):
    accuracy = classifier.score(ImageScaler().fit_transform(mnist[2]), mnist[3])

    text = re.sub(r"<[^>]+>|\s+", " ", (site / "draw.html").read_text("utf-8"))

    assert f"on 10,000 test images of MNIST is {accuracy:.2%}." in text


def test_digits_anywhere_are_read_right_and_as_in_python(open_page, mnist, classifier):
    images, labels = mnist[2][:200], mnist[3][:200]
    rng = np.random.default_rng(0)
    sides = rng.uniform(60, SIDE, 200)
    corners = rng.uniform(0, 1, (200, 2)) * (SIDE - sides[:, None])
    places = np.column_stack([corners, sides]).tolist()
    page, found = open_page(), []
    for first in range(0, 200, 20):
        part = slice(first, first + 20)
        digits = [encode(image) for image in images[part]]
        found += page.evaluate(DRAW_DIGITS, [digits, places[part]])
    canvases = np.stack([decode(text).reshape(SIDE, SIDE) for _, text in found])
    answers = np.array([int(label) if label else -1 for label, _ in found])

    in_python = make_pipeline(ImageCenterer(), ImageScaler().fit(images), classifier)

    assert (answers == labels).mean() >= 0.97
    assert (answers == in_python.predict(canvases)).mean() >= 0.99


@pytest.mark.parametrize("digit", STROKES)
def test_a_stroke_of_the_mouse_is_read(open_page, digit):
    page = open_page()

    draw_stroke(page, STROKES[digit])

    assert read_label(page) == digit


def test_the_button_clears(open_page):
    page = open_page()
    draw_stroke(page, STROKES["3"])
    assert read_canvas(page).max() == read_canvas(page, "draw-frame").max() == 255

    page.click("#draw-clear")

    assert read_label(page) == ""
    assert read_canvas(page).max() == read_canvas(page, "draw-frame").max() == 0
    bars = page.locator("#draw-bars li").all_text_contents()
    assert bars == [f"{digit} 0.0%" for digit in range(10)]


def test_a_letter_is_read_as_a_digit_with_confidence(open_page):
    page = open_page()

    draw_stroke(page, [(2.8, 2.2), (7.2, 2.2)])
    draw_stroke(page, [(5, 2.2), (5, 8)])

    shares = page.locator("#draw-bars span").all_text_contents()
    assert max(float(share.removesuffix("%")) for share in shares) > 90


def test_a_finger_draws_and_does_not_scroll(open_page):
    page = open_page(width=390, height=600, has_touch=True)
    box = page.locator("#draw-digit").bounding_box()
    x, top = box["x"] + box["width"] / 2, box["y"] + 0.2 * box["height"]
    session = page.context.new_cdp_session(page)
    for kind, places in [
        ("touchStart", [top]),
        *(("touchMove", [top + step * 20]) for step in range(1, 10)),
        ("touchEnd", []),
    ]:
        points = [{"x": x, "y": y} for y in places]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    assert read_label(page) == "1"
    assert page.evaluate("scrollY") == 0


def test_a_digit_key_draws_a_test_image(open_page, model):
    page = open_page()
    page.locator("#draw-digit").focus()
    for digit in "0123456789":
        page.keyboard.press(digit)
        assert read_label(page) == digit
        said = page.locator("#draw-said").text_content()
        assert said.startswith(f"A test image of a {digit}: read as {digit} (")
    assert (
        page.locator("#draw-digit").evaluate(
            "canvas => getComputedStyle(canvas).outlineStyle"
        )
        == "solid"
    )


def test_from_pen_up_to_the_answer_is_less_than_50_ms(open_page):
    page = open_page()
    page.evaluate(MEASURE_PEN_UP)
    for _ in range(2):
        for points in STROKES.values():
            page.click("#draw-clear")
            draw_stroke(page, points)

    # Each second one is on the canvas, the others are on the button.
    times = page.evaluate("times")[1::2]

    assert len(times) == 2 * len(STROKES)
    assert np.median(times) < 50


def test_what_speaks_for_and_against_is_shown_when_asked(open_page):
    page = open_page()
    draw_stroke(page, STROKES["3"])
    saliency = page.locator("#draw-saliency")
    assert not saliency.is_visible()

    page.check("#draw-overlay")

    assert saliency.is_visible()
    red, alpha = (read_canvas(page, "draw-saliency", channel) for channel in (0, 3))
    assert alpha.max() == 255
    assert red[alpha > 50].min() == 0
    assert red[alpha > 50].max() == 255


def test_the_buttons_change_digits_as_the_table_says(open_page, mnist, classifier):
    page = open_page()
    buttons = {
        each.text_content().lower(): json.loads(each.get_attribute("data-change"))
        for each in page.locator("[data-change]").all()
    }
    digits = mnist[2][:20].reshape(-1, 28, 28)
    drawn = np.stack(
        [
            [draw_model.draw(digit, **each) for each in buttons.values()]
            for digit in digits
        ]
    ).reshape(-1, SIDE, SIDE)
    shrunk = drawn.reshape(-1, 28, 10, 28, 10).mean(axis=(2, 4)).reshape(-1, 784)
    frames = np.stack([ImageCenterer().transform(drawn), shrunk], axis=1)

    answers = page.evaluate(CHANGE_DIGITS, [encode(digit) for digit in digits])

    in_python = classifier.predict(frames.reshape(-1, 784) / np.float32(255))
    agree = np.ravel(answers).astype(int) == in_python
    assert buttons == draw_model.CHANGES
    # Canvas and Pillow do not turn and smooth alike.
    assert agree.mean() > 0.9


def test_a_change_begins_with_what_was_drawn(open_page):
    page = open_page()
    draw_stroke(page, STROKES["7"])
    drawn = read_canvas(page)
    for name in ("Turned", "Thick", "Small"):
        page.get_by_role("button", name=name).click()
        assert np.abs(read_canvas(page) - drawn).max() > 200

    page.get_by_role("button", name="As drawn").click()

    assert_array_equal(read_canvas(page), drawn)
    assert (
        page.locator("#draw-changed").text_content().startswith("As drawn: read as 7")
    )


def test_the_page_logs_nothing_and_asks_nobody(open_page):
    page = open_page()
    draw_stroke(page, STROKES["2"])
    for name in draw_model.CHANGES:
        page.get_by_role("button", name=name, exact=False).click()
    page.check("#draw-overlay")
    page.check("#draw-unframed")
    page.click("#draw-clear")

    # The theme logs its mode, on every page.
    assert [line for line in page.messages if not line.startswith("[PST]")] == []
    assert [url for url in page.requests if not url.startswith("file://")] == []


def test_the_files_are_small(site):
    names = [
        "draw.html",
        *(f"_static/draw{end}" for end in (".js", ".css", "_model.js")),
    ]
    script = (site / "_static" / "draw.js").read_text("utf-8")

    assert sum((site / name).stat().st_size for name in names) < 700_000
    assert len(script.splitlines()) < 300


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_the_page_looks_well(open_page, width, theme):
    page = open_page(width=width, color_scheme=theme)
    draw_stroke(page, STROKES["3"])
    page.check("#draw-overlay")
    keep_picture(page.screenshot(full_page=True), f"draw_{width}_{theme}")

    box = page.locator("#draw-digit").bounding_box()
    assert box["width"] == box["height"] >= 280
    assert box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    assert page.evaluate(test_docs.FIND_WHAT_IS_CUT_OFF) == []


@pytest.mark.parametrize("name", ["draw", "draw_dark"])
def test_the_picture_of_the_page_is_small(open_page, name):
    page = open_page(color_scheme="dark" if "dark" in name else "light")
    curve = make_interp_spline(range(7), STROKES["3"])(np.linspace(0, 6, 40))
    draw_stroke(page, curve)
    page.check("#draw-overlay")
    picture, file = page.locator(".draw").screenshot(), BytesIO()
    Image.open(BytesIO(picture)).quantize(128).save(file, "png", optimize=True)
    keep_picture(file.getvalue(), name)

    committed = test_docs.DOCS / "_static" / f"{name}.png"

    assert len(file.getvalue()) < 40_000
    assert committed.stat().st_size < 40_000


def test_the_front_page_shows_it_beside_the_code(open_page):
    page = open_page("index.html")

    code = page.locator(".front div.highlight").bounding_box()
    picture = page.locator(".front-draw img:visible").bounding_box()

    assert picture["x"] > code["x"] + code["width"]
    assert picture["y"] + picture["height"] < 900
    page.locator(".front-draw a:visible").first.click()
    assert page.url.endswith("draw.html")
