"use strict";

// ---------------------------------------------------------------- search and filter

const $ = (id) => document.getElementById(id);
const cards = [...document.querySelectorAll("article.theorem")];
/** Text as it is searched: "s_3" finds an s with a lowered 3. */
const plain = (text) => text.toLowerCase().replaceAll("_", "");
const texts = new Map(cards.map((card) => [card, plain(card.textContent)]));

function filter() {
  const words = plain($("query").value).split(/\s+/).filter(Boolean);
  const status = $("status").value;
  const outcome = $("outcome").value;
  const shown = new Set();
  for (const card of cards) {
    const fits =
      words.every((word) => texts.get(card).includes(word)) &&
      (!status || card.dataset.status === status) &&
      (!outcome || card.dataset.measured === outcome);
    card.hidden = !fits;
    if (fits) shown.add(card.id);
  }
  for (const entry of document.querySelectorAll("[data-theorem]")) {
    entry.hidden = !shown.has(entry.dataset.theorem);
  }
  $("count").value = `${shown.size} of ${cards.length} theorems`;
}

for (const id of ["query", "status", "outcome"]) $(id).addEventListener("input", filter);
$("filter").addEventListener("submit", (event) => event.preventDefault());
filter();

// A link to a theorem that the filter hides shows all of them again.
function reveal() {
  const target = $(decodeURIComponent(location.hash.slice(1)));
  if (target && target.closest("[hidden]")) {
    $("filter").reset();
    filter();
    target.scrollIntoView();
  }
}
addEventListener("hashchange", reveal);

if (matchMedia("(max-width: 60rem)").matches) $("contents").open = false;
addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("main details")) fold.open = true;
});

// ---------------------------------------------------------------- stability map

const data = JSON.parse($("explorer-data").textContent);
const STEPS = 60;
const SIZE = { width: 440, height: 330, left: 52, right: 12, top: 12, bottom: 40 };
const LOW = Math.log10(0.03);
const HIGH = Math.log10(1.3);
const CURVES = { exact: "exact", oneStep: "one-step" };

/** E|x_t|^2 for t = 0 ... STEPS: X <- X - 2 eta C X + eta^2 D X on (X11, sqrt(2) X12, X22). */
function secondMoments(at, stepSize) {
  const apply = (matrix, vector) =>
    matrix.map((row) => row.reduce((sum, entry, i) => sum + entry * vector[i], 0));
  let moment = [0.5, 0, 0.5];
  const found = [1];
  for (let t = 0; t < STEPS; t++) {
    const linear = apply(at.linear, moment);
    const quadratic = apply(at.quadratic, moment);
    moment = moment.map((x, i) => x - 2 * stepSize * linear[i] + stepSize ** 2 * quadratic[i]);
    found.push(moment[0] + moment[2]);
  }
  return found;
}

/** What the certified bracket of the exact threshold says of a step size. */
function classify(at, stepSize) {
  if (stepSize <= at.lower) return "stable";
  return stepSize > at.upper ? "unstable" : "inconclusive";
}

/** The state of the controls: the minimum, its entry at the setting, and the setting itself. */
function setting() {
  const minimum = data.minima[$("minimum").value];
  const batch = Number($("batch").value);
  const index = Number($("radius").value);
  const stepSize = 10 ** (LOW + (HIGH - LOW) * Number($("step").value));
  return { minimum, batch, index, stepSize, radius: data.radii[index], at: minimum.batches[batch - 1][index] };
}

function node(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** An empty plot with labelled axes; gives the map from data to pixels. */
function axes(svg, xs, ys, xTicks, yTicks, xLabel, yLabel) {
  const { width, height, left, right, top, bottom } = SIZE;
  const x = (value) => left + ((width - left - right) * (value - xs[0])) / (xs[1] - xs[0]);
  const y = (value) => height - bottom - ((height - top - bottom) * (value - ys[0])) / (ys[1] - ys[0]);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  const frame = { x: left, y: top, width: width - left - right, height: height - top - bottom };
  const finish = () => {
    svg.append(node("rect", { ...frame, class: "axis" }));
    for (const [at, text] of xTicks) {
      svg.append(node("text", { x: x(at), y: height - bottom + 16, "text-anchor": "middle" }, text));
    }
    for (const [at, text] of yTicks) {
      svg.append(node("text", { x: left - 6, y: y(at) + 4, "text-anchor": "end" }, text));
    }
    svg.append(node("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, xLabel));
    const middle = (top + height - bottom) / 2;
    svg.append(
      node("text", { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }, yLabel),
    );
  };
  return { x, y, finish };
}

/** A path through points, in pixels. */
const path = (points) => "M" + points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join("L");

function drawMap({ minimum, batch, index, stepSize, radius, at }) {
  const table = minimum.batches[batch - 1];
  const ends = [data.radii[0], data.radii.at(-1)];
  const ticks = [0.05, 0.1, 0.2, 0.5, 1].map((value) => [Math.log10(value), String(value)]);
  const radii = [0, 0.5, 1, 1.5].map((value) => [value, String(value)]);
  const { x, y, finish } = axes($("chart"), ends, [LOW, HIGH], radii, ticks, "radius ρ a", "step size η a/2");
  const level = (value) => y(Math.max(LOW, Math.min(HIGH, Math.log10(value))));
  const curve = (values) => values.map((value, i) => [x(data.radii[i]), level(value)]);
  const exact = curve(table.map((entry) => entry.exact));
  const area = [...exact, [x(ends[1]), y(LOW)], [x(ends[0]), y(LOW)]];
  $("chart").append(node("path", { d: path(area) + "Z", class: "stable" }));
  finish();
  $("chart").append(node("path", { d: path(curve(minimum.edge)), class: "curve edge" }));
  for (const [key, name] of Object.entries(CURVES)) {
    const values = table.map((entry) => entry[key]);
    $("chart").append(node("path", { d: path(curve(values)), class: `curve ${name}` }));
  }
  const verdict = classify(at, stepSize);
  const here = { cx: x(radius), cy: level(stepSize), r: 6 };
  $("chart").append(node("circle", { ...here, class: `point is-${verdict}` }));
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const power = (k) => (k === 0 ? "1" : `10${k < 0 ? "⁻" : ""}${SUPERSCRIPTS[Math.abs(k)]}`);

function drawTrace({ at, stepSize }) {
  const values = secondMoments(at, stepSize).map((value) => Math.log10(Math.max(value, 1e-12)));
  const low = Math.max(-8, Math.floor(Math.min(-1, ...values)));
  const high = Math.min(8, Math.ceil(Math.max(1, ...values)));
  const stride = Math.ceil((high - low) / 4);
  const powers = [];
  for (let k = low; k <= high; k += stride) powers.push([k, power(k)]);
  const times = [0, STEPS / 2, STEPS].map((t) => [t, String(t)]);
  const { x, y, finish } = axes($("trace"), [0, STEPS], [low, high], times, powers, "step t", "E|x|²");
  finish();
  $("trace").append(node("path", { d: path([[x(0), y(0)], [x(STEPS), y(0)]]), class: "axis" }));
  const kept = values.findIndex((value) => value < low || value > high);
  const inside = kept < 0 ? values : values.slice(0, kept);
  $("trace").append(node("path", { d: path(inside.map((v, t) => [x(t), y(v)])), class: "curve growth" }));
}

function describe({ minimum, batch, stepSize, at, index }) {
  const verdict = classify(at, stepSize);
  const share = (stepSize / at.exact).toFixed(2);
  const oneStep = stepSize <= at.oneStep ? "holds" : "fails";
  const edge = stepSize <= minimum.edge[index] ? "below" : "beyond";
  const last = secondMoments(at, stepSize).at(-1).toPrecision(3);
  return (
    `Mean-square ${verdict}: the step size is ${share} times the exact threshold ` +
    `${at.exact.toFixed(4)}. The one-step condition ${oneStep}, and the step is ${edge} the edge of ` +
    `the mean. After ${STEPS} steps E|x|² is ${last}.`
  );
}

function draw() {
  const now = setting();
  const written = {
    step: now.stepSize.toFixed(4),
    radius: now.radius === 0 ? "0 (SGD)" : now.radius.toFixed(2),
    batch: `${now.batch} of ${now.minimum.samples}`,
  };
  for (const [id, text] of Object.entries(written)) {
    document.querySelector(`output[for="${id}"]`).value = text;
    $(id).setAttribute("aria-valuetext", text);
  }
  drawMap(now);
  drawTrace(now);
  $("reading").textContent = describe(now);
}

/** Another minimum: its number of samples is the largest batch. */
function choose() {
  $("batch").max = data.minima[$("minimum").value].samples;
  draw();
}

data.minima.forEach((minimum, i) => $("minimum").append(new Option(minimum.title, i)));
$("radius").max = data.radii.length - 1;
$("radius").value = Math.floor(data.radii.length / 6);
$("batch").value = 1;
$("step").value = 0.5;
$("minimum").addEventListener("input", choose);
for (const id of ["step", "radius", "batch"]) $(id).addEventListener("input", draw);
$("explorer").hidden = false;
choose();
reveal();
