// The rows of the report: unpacks them, and filters, sorts, searches and compares them on this machine alone.
// Text from a row is set as text, never as markup.

const PAGE_ROWS = 50;
const MOST_CELLS = 4_000_000; // of the table that finds the words two texts share
const ABSENT = 0, FAILED = 2, SCORES_ONLY = 3;
const STANDINGS = ["regressed", "failed", "wrong", "improved", "changed", "same", "completed"];
const NONE = STANDINGS.length; // the candidate has no such row

const by = (id) => document.getElementById(id);
const grouped = new Intl.NumberFormat("en-US");
const plain = new Intl.NumberFormat("en-US", { maximumFractionDigits: 3 });

/** Base64, raw deflate, JSON: what packing.py wrote. */
async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return JSON.parse(await new Response(stream).text());
}

function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

const settings = await unpack(by("settings").textContent);
const facts = await unpack(by("facts").textContent);
const pieces = [...document.querySelectorAll("script.piece")];
const unpacked = [];
const count = facts.line.length;
const scoreNames = [...new Set(facts.sides.flatMap((side) => Object.keys(side.scores)))];
const all = Uint32Array.from({ length: count }, (_, row) => row);

const state = {
  candidate: settings.candidate, reference: settings.reference ?? -1, dataset: -1, score: "", query: "",
  standing: -1, sort: "standing", descending: false, page: 0,
};
let standings = new Uint8Array(count);
let found = null; // rows in which the search found something; null when nothing is searched
let shown = all;
let searches = 0;

/** The texts of a row: [key, inputs, answers]. A piece is unpacked once. */
function textsOf(row) {
  const number = Math.floor(row / settings.piece);
  unpacked[number] ??= unpack(pieces[number].textContent);
  return unpacked[number].then((piece) => piece[row % settings.piece]);
}

// ---- how a row stands: the rules of pairing.py

function isWrong(side, row) {
  return settings.watched.some((name) => side.scores[name]?.[row] === false);
}

function standingOf(row) {
  const candidate = facts.sides[state.candidate];
  const reference = facts.sides[state.reference];
  const now = candidate.status[row], before = reference ? reference.status[row] : ABSENT;
  if (now === ABSENT) return NONE;
  if (before === ABSENT) return STANDINGS.indexOf(now === FAILED ? "failed" : isWrong(candidate, row) ? "wrong" : "completed");
  if (now === FAILED) return STANDINGS.indexOf(before === FAILED ? "failed" : "regressed");
  if (before === FAILED) return STANDINGS.indexOf("improved");
  let better = false;
  for (const name of settings.watched) {
    const change = changeOf(name, row);
    if (change < 0) return STANDINGS.indexOf("regressed");
    if (change > 0) better = true;
  }
  if (better) return STANDINGS.indexOf("improved");
  return STANDINGS.indexOf(before === SCORES_ONLY || candidate.answer[row] === reference.answer[row] ? "same" : "changed");
}

/** Score of the candidate less that of the reference; NaN where one has none. */
function changeOf(name, row) {
  const now = facts.sides[state.candidate].scores[name]?.[row];
  const before = facts.sides[state.reference]?.scores[name]?.[row];
  return now == null || before == null ? NaN : Number(now) - Number(before);
}

// ---- filter, sort, search

const SORTED_BY = {
  line: (row) => row,
  standing: (row) => standings[row],
  score: (row) => {
    const change = changeOf(state.score, row);
    const now = facts.sides[state.candidate].scores[state.score]?.[row];
    return state.reference >= 0 ? change : now == null ? NaN : Number(now);
  },
  time: (row) => facts.sides[state.candidate].milliseconds[row] ?? NaN,
  tokens: (row) => facts.sides[state.candidate].tokens[row] ?? NaN,
};

function compare() {
  for (let row = 0; row < count; row += 1) standings[row] = standingOf(row);
}

function select() {
  const fits = (row) =>
    standings[row] !== NONE && (state.dataset < 0 || facts.dataset[row] === state.dataset) && (!found || found.has(row));
  const candidates = all.filter(fits);
  const counts = new Uint32Array(STANDINGS.length);
  for (const row of candidates) counts[standings[row]] += 1;
  const rows = state.standing < 0 ? candidates : candidates.filter((row) => standings[row] === state.standing);
  const value = Float64Array.from(all, SORTED_BY[state.sort]);
  const sign = state.descending ? -1 : 1;
  shown = rows.sort((one, other) => {
    const a = value[one], b = value[other];
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b) || one - other;
    return sign * (a - b) || one - other;
  });
  showStandings(counts, candidates.length);
}

/** Looks through the texts piece by piece, so that the page answers meanwhile; a newer search ends an older one. */
async function search(query) {
  const mine = (searches += 1);
  state.query = query.trim().toLowerCase();
  if (!state.query) {
    found = null;
    return refresh();
  }
  const hits = new Set();
  for (let row = 0; row < count; row += 1) {
    if (row % settings.piece === 0) {
      await textsOf(row);
      if (mine !== searches) return;
      if (row) by("count").textContent = `Searching: ${Math.round((100 * row) / count)} %`;
    }
    if (matches(await textsOf(row))) hits.add(row);
  }
  if (mine !== searches) return;
  found = hits;
  return refresh();
}

function matches([key, inputs, answers]) {
  const inFields = (fields) => fields.some((each) => each[1].toLowerCase().includes(state.query));
  const inAnswer = (answer) =>
    answer && (inFields(answer[0]) || answer[1][0].toLowerCase().includes(state.query) || inFields(answer[2]));
  return key.includes(state.query) || inFields(inputs) || inAnswer(answers[state.candidate]) || inAnswer(answers[state.reference]);
}

// ---- the table

async function refresh({ keepPage = false } = {}) {
  select();
  const pages = Math.max(1, Math.ceil(shown.length / PAGE_ROWS));
  state.page = keepPage ? Math.min(state.page, pages - 1) : 0;
  const begin = state.page * PAGE_ROWS;
  const rows = [...shown.subarray(begin, begin + PAGE_ROWS)];
  const texts = await Promise.all(rows.map(textsOf));
  const table = by("table");
  table.tBodies.length && [...table.tBodies].forEach((body) => body.remove());
  table.append(...rows.map((row, index) => rowBody(row, texts[index])));
  table.hidden = rows.length === 0;
  for (const header of table.tHead.querySelectorAll("[data-sort]")) {
    const isSorted = header.dataset.sort === state.sort;
    header.setAttribute("aria-sort", isSorted ? (state.descending ? "descending" : "ascending") : "none");
  }
  table.tHead.querySelector(".before").textContent = labelOf(state.reference);
  table.tHead.querySelector(".after").textContent = labelOf(state.candidate);
  const total = standings.filter((each) => each !== NONE).length;
  by("count").textContent = `${grouped.format(shown.length)} of ${grouped.format(total)} rows`;
  by("pages").hidden = pages === 1;
  by("page").textContent = `Page ${grouped.format(state.page + 1)} of ${grouped.format(pages)}`;
  by("first").disabled = by("previous").disabled = state.page === 0;
  by("last").disabled = by("next").disabled = state.page === pages - 1;
}

const labelOf = (side) => (side < 0 ? "–" : settings.sides[side]);

function rowBody(row, texts) {
  const id = `row-${row}`;
  const button = element("button", { type: "button", class: "open", "aria-expanded": "false", "aria-controls": id }, nameOf(row));
  const detail = element("tr", { class: "detail", id, hidden: "" }, element("td", { colspan: "8" }));
  button.addEventListener("click", () => {
    const opens = detail.hidden;
    if (opens) detail.firstChild.replaceChildren(...detailOf(row, texts));
    detail.hidden = !opens;
    button.setAttribute("aria-expanded", String(opens));
  });
  const side = facts.sides[state.candidate];
  const cells = element(
    "tr", {},
    element("th", { scope: "row" }, button),
    element("td", {}, badge(STANDINGS[standings[row]])),
    element("td", {}, peek(fieldsText(texts[1]))),
    element("td", {}, peek(answerText(row, state.reference, texts))),
    element("td", {}, peek(answerText(row, state.candidate, texts))),
    element("td", { class: "number" }, scoreText(row)),
    element("td", { class: "number" }, side.milliseconds[row] == null ? "–" : (side.milliseconds[row] / 1000).toFixed(2)),
    element("td", { class: "number" }, side.tokens[row] == null ? "–" : grouped.format(side.tokens[row])),
  );
  return element("tbody", { class: "row" }, cells, detail);
}

const repeatOf = (row) => (facts.repeat.length ? ` (repeat ${facts.repeat[row]})` : "");
const nameOf = (row) => `${facts.datasets[facts.dataset[row]]} ${facts.line[row]}${repeatOf(row)}`;
const badge = (name) => element("span", { class: `badge ${name}` }, name);
const peek = (text) => element("span", { class: "peek" }, text.slice(0, 220));
const fieldsText = (fields) => fields.map((each) => (fields.length > 1 ? `${facts.names[each[0]]}: ${each[1]}` : each[1])).join(" · ");
const shownScore = (value) => (value == null ? "–" : typeof value === "boolean" ? String(value) : plain.format(value));

function answerText(row, side, texts) {
  if (side < 0) return "–";
  const status = facts.sides[side].status[row];
  if (status === ABSENT) return "no such row";
  if (status === SCORES_ONLY) return "answer not kept";
  const [outputs, error] = texts[2][side];
  return status === FAILED ? `failed: ${error[0]}` : fieldsText(outputs);
}

function scoreText(row) {
  const now = facts.sides[state.candidate].scores[state.score]?.[row];
  const before = facts.sides[state.reference]?.scores[state.score]?.[row];
  if (state.reference < 0 || before == null || before === now) return shownScore(now);
  return element("span", { class: Number(now) < Number(before) ? "bad" : "good" }, `${shownScore(before)} → ${shownScore(now)}`);
}

// ---- a row in full

function detailOf(row, texts) {
  const [key, inputs, answers] = texts;
  const pair = state.reference >= 0 ? [state.reference, state.candidate] : [state.candidate];
  const sides = element("div", { class: pair.length > 1 ? "sides" : "sides single" });
  const marked = pair.length > 1 ? markedOutputs(answers[pair[0]], answers[pair[1]]) : null;
  pair.forEach((side, index) => sides.append(answerCard(row, side, answers[side], marked?.[index])));
  return [
    element("h3", {}, "Input"),
    element("div", { class: "card" }, ...fieldList(inputs)),
    element("h3", {}, pair.length > 1 ? "Answers" : "Answer"),
    sides,
    ...scoresOf(row, pair),
    ...remarksOf(pair, answers),
    element("p", { class: "meta" }, `Key ${key}`),
  ];
}

function answerCard(row, side, answer, marked) {
  const card = element("div", { class: "card" }, element("h4", {}, labelOf(side)));
  if (!answer || answer[1][0]) card.append(element("p", { class: answer ? "bad" : "none" }, answer ? answer[1][0] : answerText(row, side)));
  if (answer) card.append(...fieldList(answer[0], marked));
  const { tokens, cost, milliseconds } = facts.sides[side];
  const parts = [];
  if (milliseconds[row] != null) parts.push(`${(milliseconds[row] / 1000).toFixed(2)} s`);
  if (tokens[row] != null) parts.push(`${grouped.format(tokens[row])} tokens`);
  if (cost[row] != null) parts.push(`$${cost[row].toFixed(6)}`);
  if (parts.length) card.append(element("p", { class: "meta" }, parts.join(" · ")));
  return card;
}

function fieldList(fields, marked) {
  if (!fields.length) return [element("p", { class: "none" }, "nothing")];
  return fields.map(([name, text, length], index) => {
    const content = marked?.[index] ?? [text];
    const value = element("div", { class: "value" }, ...content);
    const about = length ? `${facts.names[name]} (the first ${grouped.format(text.length)} of ${grouped.format(length)} characters; results.csv has all)` : facts.names[name];
    return element("div", { class: "field" }, element("div", { class: "of" }, about), value);
  });
}

function scoresOf(row, pair) {
  const known = scoreNames.filter((name) => pair.some((side) => facts.sides[side].scores[name]?.[row] != null));
  if (!known.length) return [];
  const header = element("tr", {}, element("th", { scope: "col" }, "Score"), ...pair.map((side) => element("th", { scope: "col", class: "number" }, labelOf(side))));
  const lines = known.map((name) => {
    const values = pair.map((side) => facts.sides[side].scores[name]?.[row]);
    const fell = values.length > 1 && settings.watched.includes(name) && Number(values[1]) < Number(values[0]);
    const cells = values.map((value, index) => element("td", { class: fell && index ? "number bad" : "number" }, shownScore(value)));
    return element("tr", {}, element("th", { scope: "row" }, name), ...cells);
  });
  return [element("h3", {}, "Scores"), element("table", {}, element("thead", {}, header), element("tbody", {}, ...lines))];
}

function remarksOf(pair, answers) {
  const cards = pair.filter((side) => answers[side] && answers[side][2].length)
    .map((side) => element("div", { class: "card" }, element("h4", {}, labelOf(side)), ...fieldList(answers[side][2])));
  if (!cards.length) return [];
  return [element("h3", {}, "What the evaluators said"), element("div", { class: cards.length > 1 ? "sides" : "sides single" }, ...cards)];
}

// ---- the words that differ

function markedOutputs(before, after) {
  if (!before || !after) return null;
  const marks = [before[0].map(() => undefined), after[0].map(() => undefined)];
  before[0].forEach((field, index) => {
    const partner = after[0].findIndex((other) => other[0] === field[0]);
    if (partner < 0) return;
    const parts = differences(words(field[1]), words(after[0][partner][1]));
    if (!parts) return;
    marks[0][index] = parts.filter((part) => part.kind !== "ins").map(marking);
    marks[1][partner] = parts.filter((part) => part.kind !== "del").map(marking);
  });
  return marks;
}

const words = (text) => text.match(/\s+|[\p{L}\p{M}\p{N}_]+|[^\s\p{L}\p{M}\p{N}_]/gu) ?? [];
const marking = ({ kind, text }) => (kind === "same" ? text : element(kind, {}, text));

/** Runs of words that are the same, gone or new, by the longest common subsequence; null where it would take too long. */
function differences(before, after) {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < before.length - start && end < after.length - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  const old = before.slice(start, before.length - end), young = after.slice(start, after.length - end);
  const middle = between(old, young);
  return middle && joined([...before.slice(0, start).map((text) => ({ kind: "same", text })), ...middle, ...before.slice(before.length - end).map((text) => ({ kind: "same", text }))]);
}

function between(old, young) {
  const width = young.length + 1;
  if ((old.length + 1) * width > MOST_CELLS) return null;
  const lengths = new Uint16Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = young.length - 1; j >= 0; j -= 1) {
      const at = i * width + j;
      lengths[at] = old[i] === young[j] ? lengths[at + width + 1] + 1 : Math.max(lengths[at + width], lengths[at + 1]);
    }
  }
  const parts = [];
  let i = 0, j = 0;
  while (i < old.length || j < young.length) {
    if (i < old.length && j < young.length && old[i] === young[j]) {
      parts.push({ kind: "same", text: old[i] });
      i += 1;
      j += 1;
    } else if (j === young.length || (i < old.length && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1])) {
      parts.push({ kind: "del", text: old[i] });
      i += 1;
    } else {
      parts.push({ kind: "ins", text: young[j] });
      j += 1;
    }
  }
  return parts;
}

function joined(parts) {
  const runs = [];
  for (const part of parts) {
    const last = runs[runs.length - 1];
    if (last && last.kind === part.kind) last.text += part.text;
    else runs.push({ ...part });
  }
  return runs;
}

// ---- the tools

function showStandings(counts, total) {
  const button = (label, number, standing) => {
    const made = element("button", { type: "button", "aria-pressed": String(state.standing === standing) }, `${label} `, element("span", { class: "of" }, grouped.format(number)));
    made.dataset.standing = standing;
    made.addEventListener("click", () => {
      state.standing = standing;
      refresh().then(() => by("standings").querySelector(`[data-standing="${standing}"]`)?.focus());
    });
    return made;
  };
  const shownOnes = STANDINGS.map((name, index) => [name, index]).filter(([, index]) => counts[index] || state.standing === index);
  by("standings").replaceChildren(button("all", total, -1), ...shownOnes.map(([name, index]) => button(name, counts[index], index)));
}

function options(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, text]) => element("option", { value }, text)));
  select.value = String(chosen);
}

function change(name, parse = Number) {
  by(name).addEventListener("change", (event) => {
    state[name] = parse(event.target.value);
    if (name === "candidate" || name === "reference") {
      compare();
      if (state.query) return search(by("search").value);
    }
    return refresh();
  });
}

function begin() {
  const sides = settings.sides.map((label, index) => [index, label]);
  options(by("candidate"), sides.filter(([index]) => index !== settings.baseline), state.candidate);
  options(by("reference"), [[-1, "nothing"], ...sides], state.reference);
  options(by("dataset"), [[-1, "all"], ...facts.datasets.map((name, index) => [index, name])], -1);
  options(by("score"), scoreNames.length ? scoreNames.map((name) => [name, name]) : [["", "none"]], (state.score = settings.watched[0] ?? scoreNames[0] ?? ""));
  by("dataset-choice").hidden = facts.datasets.length < 2;
  ["candidate", "reference", "dataset"].forEach((name) => change(name));
  change("score", String);
  by("search").addEventListener("input", (event) => search(event.target.value));
  for (const header of by("table").tHead.querySelectorAll("[data-sort]")) {
    header.firstElementChild.addEventListener("click", () => {
      state.descending = state.sort === header.dataset.sort && !state.descending;
      state.sort = header.dataset.sort;
      return refresh();
    });
  }
  const turn = (id, page) => by(id).addEventListener("click", () => {
    state.page = page();
    refresh({ keepPage: true }).then(() => by("table").scrollIntoView({ block: "start" }));
  });
  turn("first", () => 0);
  turn("previous", () => state.page - 1);
  turn("next", () => state.page + 1);
  turn("last", () => Math.ceil(shown.length / PAGE_ROWS) - 1);
  by("tools").hidden = false;
  compare();
  return refresh();
}

await begin();
