// The page of `bifocal judge`: shows one pair at a time and sends grades. What is judged, and what comes next, the server knows.
"use strict";

const $ = (id) => document.getElementById(id);
const token = location.hash.slice(1);

let grades = [];
let pair = null; // the pair on the page; null when all are judged
let numPairs = 0;
let isBusy = false; // one request at a time: a grade never reaches a document that nobody saw

async function ask(path, body) {
  const headers = { "x-bifocal-token": token };
  if (body) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch("/api/" + path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Error("bifocal judge does not answer. Start the same command again and open the address that it prints; every grade so far is on disk.");
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

// Runs one request and shows what it answers; returns whether it worked.
async function go(path, body, said) {
  if (isBusy) return false;
  isBusy = true;
  try {
    const answer = await ask(path, body);
    $("trouble").hidden = true;
    if (answer.grades) showGrades(answer.grades);
    show(answer);
    say(said || "");
    return true;
  } catch (error) {
    $("trouble").textContent = error.message;
    $("trouble").hidden = false;
    $("trouble").scrollIntoView({ block: "center" });
    return false;
  } finally {
    isBusy = false;
  }
}

function say(text) {
  $("said").textContent = text;
}

// What the user does

async function grade(value) {
  if (!pair || value >= grades.length) return;
  const button = $("grades").children[value];
  button.classList.add("pressed");
  const before = pair;
  const worked = await go("judgment", { pair: before.pair, grade: value }, `Graded ${value}, ${grades[value]}. u takes it back.`);
  setTimeout(() => button.classList.remove("pressed"), worked ? 160 : 0);
}

function move(to) {
  if (to < 0 || to >= numPairs) return say(to < 0 ? "This is the first pair." : "This is the last pair.");
  return go(`pair/${to}`);
}

const actions = {
  back: () => move(pair ? pair.pair - 1 : numPairs - 1),
  forward: () => (pair ? move(pair.pair + 1) : undefined),
  undo: () => go("undo", {}, "Taken back."),
  skip: () => jump(pair && pair.next_open, "There is no other pair without a grade."),
  "next-query": () => jump(pair && pair.next_query, "There is no other query with a pair to grade."),
  "help-button": () => $("help").showModal(),
};

function jump(to, otherwise) {
  if (!pair) return;
  if (to === null || to === pair.pair) return say(otherwise);
  return go(`pair/${to}`);
}

const keys = {
  ArrowLeft: "back", k: "back", ArrowRight: "forward", j: "forward", u: "undo", s: "skip", n: "next-query", "?": "help-button",
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || $("help").open) return;
  const isGrade = /^[0-9]$/.test(event.key) && Number(event.key) < grades.length;
  const action = keys[event.key] || keys[event.key.toLowerCase()];
  if (!isGrade && !action) return;
  event.preventDefault();
  if (isGrade) grade(Number(event.key));
  else actions[action]();
});

for (const [id, act] of Object.entries(actions)) $(id).addEventListener("click", act);

// What the page shows

function showGrades(names) {
  grades = names;
  $("grades").replaceChildren(...names.map((name, value) => {
    const button = element("button", { type: "button" }, element("kbd", {}, String(value)), element("span", {}, capital(name)));
    button.style.setProperty("--strength", strength(value));
    button.addEventListener("click", () => grade(value));
    return button;
  }));
  $("help-grades").replaceChildren(...names.map((name, value) =>
    element("tr", {}, element("th", { scope: "row" }, element("kbd", {}, String(value))), element("td", {}, name))));
}

function show(answer) {
  pair = answer.pair;
  showProgress(answer.progress);
  $("document").hidden = !pair;
  $("done").hidden = Boolean(pair);
  $("pairs").hidden = $("query").hidden = !pair;
  $("grades").hidden = !pair;
  for (const id of ["forward", "skip", "next-query"]) $(id).disabled = !pair;
  [...$("grades").children].forEach((button, value) => {
    button.setAttribute("aria-pressed", String(Boolean(pair) && pair.grade === value));
  });
  if (pair) {
    showQuery(pair.query, answer.progress);
    showDocument(pair.document);
  } else {
    showDone(answer);
  }
  window.scrollTo(0, 0);
  document.querySelector("header").scrollTo(0, 0);
}

function showProgress(progress) {
  numPairs = progress.pairs;
  const bar = $("bar");
  bar.setAttribute("aria-valuemax", progress.pairs);
  bar.setAttribute("aria-valuenow", progress.judged);
  bar.firstElementChild.style.width = `${(100 * progress.judged) / progress.pairs}%`;
  const parts = [`${progress.judged} of ${progress.pairs} judged`];
  if (progress.pairs_per_minute) parts.push(`${progress.pairs_per_minute.toFixed(1)} a minute`);
  if (progress.seconds_left) parts.push(`about ${duration(progress.seconds_left)} left`);
  $("progress").textContent = parts.join(" · ");
  document.title = `${progress.judged} of ${progress.pairs} · Judge`;
}

function showQuery(query, progress) {
  const judged = query.pairs.filter((other) => other.grade !== null).length;
  $("place").textContent = `Query ${query.number} of ${progress.queries} · ${judged} of ${query.pairs.length} documents judged`;
  $("query").textContent = query.text || query.id;
  $("narrative").hidden = !query.narrative;
  $("narrative").lastElementChild.textContent = query.narrative;
  $("pairs").replaceChildren(...query.pairs.map((other, place) => {
    const isHere = other.pair === pair.pair;
    const name = other.grade === null ? "not judged" : grades[other.grade] || `grade ${other.grade}`;
    const label = `Document ${place + 1} of ${query.pairs.length}: ${name}`;
    const button = element("button", { type: "button", title: label, "aria-label": label });
    if (isHere) button.setAttribute("aria-current", "true");
    if (other.grade !== null) {
      button.dataset.grade = other.grade;
      button.style.setProperty("--strength", strength(other.grade));
    }
    button.addEventListener("click", () => move(other.pair));
    return element("li", {}, button);
  }));
}

function showDocument(shown) {
  $("title").replaceChildren(...(shown.title ? marked(shown.title) : [shown.id]));
  $("facts").replaceChildren(...shown.facts.map(([field, value]) =>
    element("div", {}, element("dt", {}, field), element("dd", { dir: "auto" }, value))));
  $("excerpt").replaceChildren(...(shown.excerpt ? marked(shown.excerpt) : []));
  $("texts").replaceChildren(...shown.parts.map((part) => {
    const names = shown.parts.length > 1 ? [element("h3", {}, part.field)] : [];
    return element("section", {}, ...names, element("p", { dir: "auto" }, ...marked(part.runs)));
  }));
  $("cut").hidden = !shown.is_cut;
  $("document-id").textContent = shown.title ? `id ${shown.id}` : "";
  $("title").focus({ preventScroll: true });
}

function showDone(answer) {
  $("place").textContent = `${answer.progress.queries} queries`;
  $("narrative").hidden = true;
  $("tally").textContent = `${answer.progress.judged} judgments of ${answer.progress.queries} queries are in the file.`;
  $("next-steps").replaceChildren(...answer.next_steps.map((command) =>
    element("code", {}, ...command.split(" ").flatMap((word) => [element("span", {}, word), " "]))));
  $("done").firstElementChild.focus({ preventScroll: true });
}

// Every other run is marked; texts are never taken as markup.
function marked(runs) {
  return runs.map((text, place) => (place % 2 ? element("mark", {}, text) : text));
}

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

function strength(value) {
  const share = Math.min(Math.max(value / (grades.length - 1), 0), 1);
  return `${Math.round(100 * share)}%`;
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function duration(seconds) {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return "a minute";
  if (minutes < 90) return `${minutes} min`;
  return `${(minutes / 60).toFixed(1)} h`;
}

go("state");
