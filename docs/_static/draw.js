// The page "Draw a digit": MNIST's frame, a network, and the canvas that they read.
// An image is { width, height, data }.
"use strict";

// 1. MNIST's frame: skmnist/_framing.py, with its names, for the even page of a canvas.
const SIZE = 28, BOX = 20, LARGEST = 12, PAGE_SIDE = 32, EDGE = 2, SAME_SIZE = 0.08;
const FAINTEST = 0.02, CONTRAST = 3.5, SPECK = 0.05, BRIGHT = 0.9, N_BINS = 128;

const AXES = [(i, width) => i % width, (i, width) => Math.floor(i / width)];
const sum = values => values.reduce((a, b) => a + b, 0);
const max = values => values.reduce((a, b) => Math.max(a, b), -Infinity);
const clip = value => Math.min(Math.max(value, 0), 1);
// Halves to the even neighbor, as in Python.
const round = value => Math.round(value) - (value - 2 * Math.floor(value / 2) === 0.5);

function quantile(values, share) {
    const sorted = values.slice().sort();
    const place = share * (sorted.length - 1), below = Math.floor(place);
    const step = sorted[Math.ceil(place)] - sorted[below];
    return Math.fround(sorted[below] + step * (place - below));
}
const median = values => quantile(values, 0.5);
const toGrey = ({ width, height, data }) => ({ width, height, data:
    new Float32Array(width * height).map((_, i) =>
        0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]) });

function shrink(image, side) {
    const factor = Math.ceil(Math.max(image.width, image.height) / side);
    const [width, height] = [image.width, image.height].map(n => Math.ceil(n / factor));
    const data = new Float32Array(width * height), counts = new Uint32Array(data.length);
    for (let y = 0, i = 0; y < image.height; y++)
        for (let x = 0; x < image.width; x++, i++) {
            const block = Math.floor(y / factor) * width + Math.floor(x / factor);
            data[block] += image.data[i];
            counts[block]++;
        }
    return { width, height, data: data.map((total, i) => total / counts[i]) };
}

// Return the image in the frame, as 784 pixels up to 255; null if there is no ink.
function frameImage(image) {
    const small = shrink(image, LARGEST * BOX), brightest = max(small.data);
    const isWhite = value => value / 4 < brightest && brightest <= value;
    const white = [1, 255, 65535].find(isWhite) || brightest || 1;
    const ink = findInk({ ...small, data: small.data.map(value => value / white) });
    const strokes = max(ink.data) > FAINTEST ? findStrokes(ink) : null;
    if (!strokes) return null;
    const peak = quantile(ink.data.filter((_, i) => strokes[i]), 0.9);
    const extents = [ink.width, ink.height].map((length, axis) => {
        const isTaken = new Uint8Array(length);
        strokes.forEach((isInk, i) => isInk && (isTaken[AXES[axis](i, ink.width)] = 1));
        return [isTaken.indexOf(1), isTaken.lastIndexOf(1) + 1];
    });
    const longest = max(extents.map(([first, last]) => last - first));
    grow(strokes, ink.width, Math.max(1, round(EDGE * longest / BOX)));
    const data = ink.data.map((value, i) =>
        strokes[i] ? clip(peak < BRIGHT ? value / peak : value) : 0);
    const framed = place({ ...ink, data }, extents, longest);
    return Uint8Array.from(framed, v => round(Math.fround(white * clip(v))));
}

// How much each pixel differs from the page, positive for ink.
function findInk(grey) {
    const { width, height, data } = shrink(grey, PAGE_SIDE);
    const page = median(data.filter((_, i) => i < width || i >= width * (height - 1) ||
        i % width === 0 || i % width === width - 1));
    const ink = grey.data.map(value => value - page);
    const isDark = sum(ink.map(value => value ** 3)) < 0;
    return { ...grey, data: isDark ? ink.map(v => -v / Math.max(page, 0.05)) : ink };
}

// Which pixels are ink, without specks; null if none are.
function findStrokes({ data, width }) {
    const threshold = findThreshold(data), strokes = data.map(value => value > threshold);
    const page = data.filter(value => value <= threshold), level = median(page);
    const deviation = 1.4826 * median(page.map(value => Math.abs(value - level)));
    const contrast = median(data.filter(value => value > threshold)) - level;
    if (contrast <= CONTRAST * deviation) return null;
    const parts = findParts(strokes, width), largest = max(parts.map(part => part.length));
    for (const part of parts)
        if (part.length >= SPECK * largest) for (const i of part) strokes[i] = 1;
    return strokes;
}

// Otsu's threshold, one of the edges of NumPy's histogram, which are float32.
function findThreshold(ink) {
    const low = -max(ink.map(value => -value)), high = max(ink);
    const step = Math.fround((high - low) / N_BINS);
    const edges = new Float32Array(N_BINS + 1).map((_, i) =>
        i < N_BINS ? Math.fround(i * step) + low : high);
    const counts = new Float64Array(N_BINS);
    for (const value of ink) {
        let bin = Math.min(Math.floor((value - low) / step), N_BINS - 1);
        if (value < edges[bin]) bin--;
        if (value >= edges[bin + 1] && bin < N_BINS - 1) bin++;
        counts[bin]++;
    }
    const sums = counts.map((n, i) => n * Math.fround(edges[i] + edges[i + 1]) / 2);
    const between = counts.subarray(1).map((_, i) => {
        const share = sum(counts.subarray(0, i + 1)) / ink.length;
        const difference = share * sum(sums) - sum(sums.subarray(0, i + 1));
        return difference ** 2 / (share * (1 - share));
    });
    return edges[1 + between.indexOf(max(between))];
}

// The connected parts of a mask, which it loses, as lists of places; corners connect.
function findParts(mask, width) {
    const parts = [], steps = [-width, 0, width].flatMap(n => [n - 1, n, n + 1]);
    for (let start = mask.indexOf(1); start >= 0; start = mask.indexOf(1, start)) {
        const part = [start];
        mask[start] = 0;
        for (const i of part) // which grows meanwhile
            for (const to of steps.map(step => i + step))
                if (mask[to] && Math.abs(to % width - i % width) < 2) {
                    mask[to] = 0;
                    part.push(to);
                }
        parts.push(part);
    }
    return parts;
}

// Add to a mask what is at most as many steps to a side away.
function grow(mask, width, nSteps) {
    let added = [...mask.keys()].filter(i => mask[i]);
    for (let n = 0; n < nSteps; n++)
        added = added.flatMap(i => [
            i - width, i + width, i % width ? i - 1 : -1, (i + 1) % width ? i + 1 : -1,
        ].filter(to => mask[to] === 0 && (mask[to] = 1)));
}

// The ink in its box, with its center of mass in the center of the frame.
function place(ink, extents, longest) {
    const isInSize = Math.abs(BOX / longest - 1) <= SAME_SIZE && longest <= SIZE;
    const side = (isInSize ? 1 : longest / BOX) * SIZE;
    const [left, top] = AXES.map((toPlace, axis) => {
        const moments = ink.data.map((value, i) => value * (toPlace(i, ink.width) + 0.5));
        const begin = sum(moments) / sum(ink.data) - side * (0.5 + 0.5 / SIZE);
        const corner = Math.min(Math.max(begin, extents[axis][1] - side), extents[axis][0]);
        return isInSize ? round(corner) : corner;
    });
    return resample(resample(ink, left, side), top, side).data;
}

// Shrink the part of each row that begins at `corner`, by the Lanczos filter of Pillow's
// `resize`, and return the rows as columns.
function resample({ width, height, data }, corner, side) {
    const offset = Math.floor(corner), length = Math.ceil(corner + side) - offset;
    const begin = Math.fround(corner - offset), end = Math.fround(corner - offset + side);
    const scale = Math.fround(end - begin) / SIZE, stretch = Math.max(scale, 1);
    const sinc = x => x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
    const lanczos = x => Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
    const resampled = new Float32Array(SIZE * height);
    for (let i = 0; i < SIZE; i++) {
        const center = begin + (i + 0.5) * scale;
        const first = Math.max(Math.trunc(center - 3 * stretch + 0.5), 0);
        const last = Math.min(Math.trunc(center + 3 * stretch + 0.5), length);
        const weights = new Float64Array(last - first)
            .map((_, at) => lanczos((first + at + 0.5 - center) / stretch));
        const total = sum(weights);
        for (let row = 0; row < height; row++) {
            let value = 0;
            for (let at = 0, x = offset + first; at < weights.length; at++, x++)
                if (x >= 0 && x < width) value += weights[at] * data[row * width + x];
            resampled[i * height + row] = value / total;
        }
    }
    return { width: height, height: SIZE, data: resampled };
}

// 2. The network: one hidden layer, whose weights are float16 in base64.
const decode = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));

function toFloat(half) {
    const exponent = half >> 10 & 31, fraction = (half & 1023) / 1024;
    const size = exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14;
    return half >> 15 ? -size : size;
}

function makeNetwork({ weights, shapes }) {
    const values = Float32Array.from(new Uint16Array(decode(weights).buffer), toFloat);
    let end = 0;
    return shapes.map(shape => values.subarray(end, end += shape.reduce((a, b) => a * b)));
}

function multiply(weights, x, bias) {
    return bias.map((total, row) => {
        for (let i = 0; i < x.length; i++) total += weights[row * x.length + i] * x[i];
        return total;
    });
}

// Return the probabilities, the place of the largest, and the gradient of its logit.
function predict([hidden, hiddenBias, output, outputBias], pixels) {
    const scaled = Float32Array.from(pixels, value => value / 255);
    const units = multiply(hidden, scaled, hiddenBias).map(unit => Math.max(unit, 0));
    const logits = multiply(output, units, outputBias);
    const answer = logits.indexOf(max(logits));
    const powers = logits.map(logit => Math.exp(logit - logits[answer]));
    const weights = units.map((unit, j) => (unit > 0) * output[answer * units.length + j]);
    const gradient = new Float32Array(scaled.length);
    for (let i = 0, length = scaled.length; i < hidden.length; i++)
        gradient[i % length] += weights[Math.floor(i / length)] * hidden[i];
    return { probabilities: powers.map(power => power / sum(powers)), answer, gradient };
}

// 3. The page.
function startPage(model) {
    const get = name => document.getElementById(`draw-${name}`);
    const canvas = get("digit"), side = canvas.width, network = makeNetwork(model);
    const pen = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    Object.assign(pen, { lineWidth: side / 12, lineCap: "round", strokeStyle: "white" });
    let last = null, kept = null;

    function paint(name, toColor) {
        const colors = Array.from({ length: SIZE ** 2 }, (_, i) => toColor(i)).flat();
        const image = new ImageData(Uint8ClampedArray.from(colors), SIZE);
        get(name).getContext("2d").putImageData(image, 0, 0);
    }
    // Show what the network sees and answers, and return the answer in words.
    function read() {
        const grey = toGrey(pen.getImageData(0, 0, side, side));
        const pixels = get("unframed").checked ? shrink(grey, SIZE).data : frameImage(grey);
        const found = pixels && max(pixels) > 0 ? predict(network, pixels) : null;
        const limit = found && max(found.gradient.map(Math.abs));
        paint("frame", i => [0, 0, 0].fill(found ? pixels[i] : 0).concat(255));
        paint("saliency", i => {
            const share = found ? found.gradient[i] / limit : 0;
            return [...(share > 0 ? [255, 80, 0] : [0, 130, 255]), 255 * Math.abs(share)];
        });
        const percents = Array.from(found ? found.probabilities : Array(10).fill(0),
            share => `${(100 * share).toFixed(1)}%`);
        get("bars").innerHTML = percents.map((share, digit) =>
            `<li style="--share: ${share}">${digit} <span>${share}</span></li>`).join("");
        get("label").textContent = found ? found.answer : "";
        get("said").textContent = get("changed").textContent = "";
        return found ? `read as ${found.answer} (${percents[found.answer]})` : "not read";
    }
    function clear() {
        pen.fillRect(0, 0, side, side);
        kept = null;
    }
    function drawExample(digit) {
        const ink = decode(model.examples).subarray(digit * SIZE ** 2);
        clear();
        paint("frame", i => [ink[i], ink[i], ink[i], 255]);
        pen.drawImage(get("frame"), 0, 0, side, side);
    }
    function draw(event) {
        const box = canvas.getBoundingClientRect(), scale = side / box.width;
        const point = [(event.clientX - box.x) * scale, (event.clientY - box.y) * scale];
        pen.stroke(new Path2D(`M${last ?? point}L${point}`));
        [last, kept] = [point, null];
    }
    // Change the last drawing; each time anew.
    function change({ shift = 0, angle = 0, scale = 1, thickness = 0 }) {
        if (!get("label").textContent && !kept) drawExample(4);
        if (!kept) (kept = canvas.cloneNode()).getContext("2d").drawImage(canvas, 0, 0);
        pen.fillRect(0, 0, side, side);
        pen.save();
        pen.setTransform(new DOMMatrix().translate(side / 2 + shift, side / 2 + shift)
            .rotate(angle).scale(scale).translate(-side / 2, -side / 2));
        pen.globalCompositeOperation = "lighten";
        for (let i = 0; i < 48; i++) {
            const reach = (i % 3) / 2 * thickness, turn = i / 24 * Math.PI;
            pen.drawImage(kept, reach * Math.cos(turn), reach * Math.sin(turn));
        }
        pen.restore();
    }
    canvas.onpointerdown = event => {
        if (event.button || !event.isPrimary) return;
        canvas.setPointerCapture(event.pointerId);
        draw(event);
        read();
    };
    canvas.onpointermove = event => {
        if (!last || !event.isPrimary) return;
        for (const each of event.getCoalescedEvents?.() ?? [event]) draw(each);
        read();
    };
    canvas.onpointerup = canvas.onpointercancel = () => read(last = null);
    canvas.onkeydown = event => {
        if (!/^[0-9]$/.test(event.key) || event.ctrlKey || event.metaKey) return;
        drawExample(event.key);
        get("said").textContent = `A test image of a ${event.key}: ${read()}.`;
    };
    get("clear").onclick = () => read(clear());
    get("unframed").onchange = read;
    for (const button of document.querySelectorAll("[data-change]"))
        button.onclick = () => {
            change(JSON.parse(button.dataset.change));
            get("changed").textContent = `${button.textContent}: ${read()}.`;
        };
    read();
}

if (typeof module === "undefined") startPage(DRAW_MODEL);
else module.exports = { frameImage, makeNetwork, predict, shrink, toGrey };
