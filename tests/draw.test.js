// The frame and the network of the page "Draw a digit" are Python's. tests/test_draw.py
// makes the vectors and runs these tests: DRAW_MODEL and DRAW_VECTORS are its files.
"use strict";

const assert = require("node:assert/strict");
const { createHash } = require("node:crypto");
const { readFileSync } = require("node:fs");
const { test } = require("node:test");
const { frameImage, makeNetwork, predict, shrink, toGrey } = require(
    "../docs/_static/draw.js"
);

const decode = text => new Uint8Array(Buffer.from(text, "base64"));
const text = readFileSync(process.env.DRAW_MODEL, "utf8");
const model = JSON.parse(text.replace("const DRAW_MODEL = ", "").replace(/;\s*$/, ""));
const vectors = JSON.parse(readFileSync(process.env.DRAW_VECTORS, "utf8"));
const network = makeNetwork(model);

const toImage = vector => toGrey({ ...vector, data: decode(vector.pixels) });
const difference = (a, b) =>
    a.reduce((total, value, i) => total + Math.abs(value - b[i]), 0) / a.length;

test("the weights have the checksum that stands beside them", () => {
    const hash = createHash("sha256").update(decode(model.weights)).digest("base64");
    assert.equal(hash, model.sha256);
});

test("float16 is decoded, its smallest numbers too", () => {
    const halves = Uint8Array.of(0x01, 0x00, 0x00, 0x3c, 0x00, 0xc1, 0xff, 0x7b);
    const weights = Buffer.from(halves).toString("base64");
    const [first, second] = makeNetwork({ weights, shapes: [[1, 3], [1]] });
    assert.deepEqual([...first, ...second], [2 ** -24, 1, -2.5, 65504]);
});

for (const vector of vectors) {
    test(`${vector.name} is framed as in Python`, () => {
        const framed = frameImage(toImage(vector));
        if (vector.isBlank) return assert.equal(framed, null);
        assert.ok(difference(framed, decode(vector.frame)) <= 0.2);
    });

    test(`${vector.name} is read as in Python`, () => {
        const found = predict(network, decode(vector.frame));
        found.probabilities.forEach((probability, digit) =>
            assert.ok(Math.abs(probability - vector.probabilities[digit]) < 1e-3));
        assert.equal(found.answer, vector.answer);
        assert.ok(difference(found.gradient, vector.gradient) < 1e-4);
    });
}

test("an image is shrunk to the means of its blocks", () => {
    const image = { width: 3, height: 2, data: Float32Array.of(1, 2, 3, 4, 5, 6) };
    const { width, height, data } = shrink(image, 2);
    assert.deepEqual([width, height, ...data], [2, 1, 3, 4.5]);
});
