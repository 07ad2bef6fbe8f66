"use strict";
// The parts of the report that answer to a reader: choosing a measure, the scatter of two plans, the table of queries.
// Texts of the comparison become text nodes and attributes only, never markup.
(() => {
  const data = JSON.parse(document.getElementById("comparison").textContent);
  const byId = (id) => document.getElementById(id);
  document.documentElement.classList.add("js");

  for (const select of document.querySelectorAll("select[data-panels]")) {
    const show = () => {
      for (const panel of document.querySelectorAll(`[data-panel="${select.dataset.panels}"]`)) {
        panel.hidden = panel.dataset.idx !== select.value;
      }
    };
    select.addEventListener("change", show);
    show();
  }

  // Paper shows what is folded away on the screen.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });

  if (!byId("scatter")) return;

  const SVG = document.querySelector("svg").namespaceURI;
  const FEW = 25;
  const fill = (element, attributes, children) => {
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
  const html = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
  const number = (value) => (value === null || value === undefined ? "–" : value.toFixed(4));
  const signed = (value) => (value === null ? "–" : (value > 0 ? "+" : value < 0 ? "−" : "") + Math.abs(value).toFixed(4));
  // A plan alone has nothing to be drawn against; its worst queries come first.
  const isAlone = data.plans.length < 2;
  const state = { x: 0, y: 0, measure: 0, query: null, all: false, sort: isAlone ? "plan 0" : "difference", down: !isAlone };
  const valueOf = (plan, query) => data.values[plan][state.measure][query] ?? null;
  const difference = (query) => {
    const [x, y] = [valueOf(state.x, query), valueOf(state.y, query)];
    return x === null || y === null ? null : Math.round((y - x) * 1e4) / 1e4;
  };
  const side = (query) => {
    const change = difference(query);
    return change === null ? "none" : change > 0 ? "win" : change < 0 ? "loss" : "tie";
  };

  // One query: its text, what every plan reaches, which documents moved.
  const queryDetail = (query) => {
    const [id, text, relevant, words, overlap] = data.queries[query];
    const facts = [`query ${id}`, `${relevant} relevant`, `${words} words`];
    if (overlap !== null) facts.push(`lexical overlap ${Math.round(overlap * 100)} %`);
    const head = html("tr", {}, html("th", { scope: "col" }, "Plan"), ...data.measures.map((name, idx) =>
      html("th", { scope: "col", class: idx === state.measure ? "chosen" : null }, name)));
    const rows = data.plans.map((name, plan) => html("tr", { class: plan === state.x || plan === state.y ? "chosen" : null },
      html("th", { scope: "row", class: "plan" }, name),
      ...data.measures.map((_, measure) =>
        html("td", { class: measure === state.measure ? "chosen" : null }, number(data.values[plan][measure][query])))));
    const parts = [
      html("p", { class: "query-text", dir: "auto" }, text || id),
      html("p", { class: "quiet" }, facts.join(" · ")),
      html("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Values of this query" },
        html("table", {}, html("thead", {}, head), html("tbody", {}, ...rows))),
    ];
    for (const plan of new Set([state.y, state.x])) {
      const moved = data.moved[plan]?.[query];
      if (moved) parts.push(movedList(plan, moved));
    }
    return parts;
  };
  const movedList = (plan, moved) => {
    const items = moved.map(([place, grade, before, after]) => {
      const [id, title] = data.documents[place];
      const kind = grade === null ? "unjudged" : grade > 0 ? "relevant" : "irrelevant";
      return html("li", {},
        html("span", { class: "ranks" }, `${before ?? "–"} → ${after ?? "–"}`), " ",
        html("span", { class: `grade ${kind}`, title: grade === null ? "not judged" : `grade ${grade}` }, grade === null ? "?" : String(grade)), " ",
        html("span", { dir: "auto", title: id }, title || id));
    });
    return html("div", {}, html("h4", {}, `Ranks that changed, ${data.plans[0]} → ${data.plans[plan]}`), html("ul", { class: "moved" }, ...items));
  };

  const open = (queries, focus) => {
    state.query = queries[0];
    const list = queries.length < 2 ? [] : [
      html("p", { class: "quiet" }, `${queries.length} queries lie on this point:`),
      html("p", { class: "same" }, ...queries.slice(0, 40).map((query) => {
        const button = html("button", { type: "button", title: data.queries[query][1] }, data.queries[query][0]);
        button.addEventListener("click", () => { state.query = query; body.replaceChildren(...queryDetail(query)); });
        return button;
      })),
    ];
    const body = html("div", {}, ...queryDetail(queries[0]));
    byId("detail").replaceChildren(...list, body);
    if (focus && byId("detail").getBoundingClientRect().top > innerHeight - 120) {
      byId("detail").scrollIntoView({ block: "nearest" });
    }
  };

  // Queries with the same two values are one point, as large as there are many.
  let points = [];
  const drawScatter = () => {
    const groups = new Map();
    data.queries.forEach((_, query) => {
      const [x, y] = [valueOf(state.x, query), valueOf(state.y, query)];
      if (x === null || y === null) return;
      const key = `${x.toFixed(3)} ${y.toFixed(3)}`;
      if (!groups.has(key)) groups.set(key, { x, y, queries: [] });
      groups.get(key).queries.push(query);
    });
    points = [...groups.values()].sort((a, b) => (b.y - b.x) - (a.y - a.x));
    const highest = points.reduce((most, point) => Math.max(most, point.x, point.y), 0);
    const lowest = points.reduce((least, point) => Math.min(least, point.x, point.y), 0);
    const top = highest > 0.5 || highest === 0 ? Math.max(1, highest) : Math.ceil(highest * 10) / 10;
    const width = Math.max(260, Math.min(byId("scatter").clientWidth || 520, 620));
    const edge = { left: 52, right: 12, top: 12, bottom: 46 };
    const scale = (value) => (value - lowest) / (top - lowest);
    const px = (value) => edge.left + scale(value) * (width - edge.left - edge.right);
    const py = (value) => width - edge.bottom - scale(value) * (width - edge.top - edge.bottom);
    const [planX, planY, measure] = [data.plans[state.x], data.plans[state.y], data.measures[state.measure]];
    const short = (name) => (name.length > 34 ? `${name.slice(0, 33)}…` : name);
    const count = { win: 0, loss: 0, tie: 0, none: 0 };
    data.queries.forEach((_, query) => { count[side(query)] += 1; });
    byId("scatter-caption").textContent =
      `${measure} of each query: ${planY} is better on ${count.win}, worse on ${count.loss}, equal on ${count.tie}`;
    const drawing = svg("svg", { class: "chart scatter", viewBox: `0 0 ${width} ${width}`, width, height: width, role: "group",
      "aria-label": `${measure} of ${planY} against ${planX}, a point a query; arrow keys move from the largest win to the largest loss` });
    for (let step = 0; step <= 5; step += 1) {
      const tick = lowest + ((top - lowest) * step) / 5;
      const name = String(Math.round(tick * 100) / 100);
      drawing.append(
        svg("line", { class: "grid", x1: px(lowest), x2: px(top), y1: py(tick), y2: py(tick) }),
        svg("line", { class: "grid", x1: px(tick), x2: px(tick), y1: py(lowest), y2: py(top) }),
        svg("text", { class: "tick", x: edge.left - 8, y: py(tick) + 4, "text-anchor": "end" }, name),
        svg("text", { class: "tick", x: px(tick), y: width - edge.bottom + 18, "text-anchor": "middle" }, name));
    }
    drawing.append(
      svg("line", { class: "axis", x1: px(lowest), y1: py(lowest), x2: px(top), y2: py(top) }),
      svg("text", { class: "label", x: px((lowest + top) / 2), y: width - 6, "text-anchor": "middle" }, short(planX)),
      svg("text", { class: "label", transform: `translate(12 ${py((lowest + top) / 2)}) rotate(-90)`, "text-anchor": "middle" }, short(planY)));
    points.forEach((point, idx) => {
      const kind = side(point.queries[0]);
      const what = point.queries.length > 1 ? `${point.queries.length} queries` : `query ${data.queries[point.queries[0]][0]}: ${data.queries[point.queries[0]][1].slice(0, 120)}`;
      const where = `${planX} ${number(point.x)}, ${planY} ${number(point.y)}`;
      point.circle = svg("circle", { class: `point ${kind}`, cx: px(point.x), cy: py(point.y),
        r: Math.min(4 + 1.6 * Math.sqrt(point.queries.length - 1), 16), tabindex: idx === 0 ? 0 : -1, role: "button",
        "data-idx": idx, "aria-label": `${what}; ${where}` }, svg("title", {}, `${what}\n${where}`));
    });
    // Large points lie below small ones, so that both can be chosen.
    [...points].sort((a, b) => b.queries.length - a.queries.length).forEach((point) => drawing.append(point.circle));
    if (points.length) {
      const mean = (axis) => points.reduce((sum, point) => sum + point[axis] * point.queries.length, 0) / points.reduce((sum, point) => sum + point.queries.length, 0);
      const [x, y] = [px(mean("x")), py(mean("y"))];
      drawing.append(svg("path", { class: "mean", d: `M${x - 7} ${y}H${x + 7}M${x} ${y - 7}V${y + 7}` }, svg("title", {}, `means: ${planX} ${number(mean("x"))}, ${planY} ${number(mean("y"))}`)));
    }
    byId("scatter").replaceChildren(drawing);
    mark();
  };
  const mark = () => {
    for (const point of points) point.circle.classList.toggle("chosen", point.queries.includes(state.query));
  };
  const choose = (idx, focus) => {
    const point = points[idx];
    if (!point) return;
    for (const other of points) other.circle.setAttribute("tabindex", other === point ? 0 : -1);
    if (focus) point.circle.focus({ preventScroll: true });
    open(point.queries, !focus);
    mark();
  };
  byId("scatter").addEventListener("click", (event) => {
    const drawing = byId("scatter").firstElementChild;
    if (!drawing) return;
    // A finger is wider than a point: the nearest one is meant.
    const box = drawing.getBoundingClientRect();
    const unit = box.width / drawing.viewBox.baseVal.width;
    let [nearest, least] = [-1, 22];
    points.forEach((point, idx) => {
      const dx = box.left + point.circle.cx.baseVal.value * unit - event.clientX;
      const dy = box.top + point.circle.cy.baseVal.value * unit - event.clientY;
      const distance = Math.hypot(dx, dy);
      if (distance < least) [nearest, least] = [idx, distance];
    });
    const own = event.target.closest?.(".point");
    choose(own ? Number(own.dataset.idx) : nearest, false);
  });
  byId("scatter").addEventListener("keydown", (event) => {
    const own = event.target.closest?.(".point");
    if (!own) return;
    const idx = Number(own.dataset.idx);
    const step = { ArrowRight: idx + 1, ArrowDown: idx + 1, ArrowLeft: idx - 1, ArrowUp: idx - 1, Home: 0, End: points.length - 1, Enter: idx, " ": idx }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    choose(Math.max(0, Math.min(points.length - 1, step)), true);
  });

  // The table of queries.
  const columns = () => [
    { key: "query", name: "Query", of: (query) => query },
    ...(isAlone ? [] : [{ key: "difference", name: "Change", of: difference }]),
    ...data.plans.map((name, plan) => ({ key: `plan ${plan}`, name, plan, of: (query) => valueOf(plan, query) })),
    { key: "relevant", name: "Relevant", of: (query) => data.queries[query][2] },
    { key: "words", name: "Words", of: (query) => data.queries[query][3] },
  ];
  const kept = () => {
    const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = byId("show").value;
    return data.queries.map((_, query) => query).filter((query) => {
      const text = `${data.queries[query][0]} ${data.queries[query][1]}`.toLowerCase();
      if (!words.every((word) => text.includes(word))) return false;
      if (shown === "failures") return data.plans.every((_, plan) => !valueOf(plan, query));
      return shown === "all" || `${side(query)}` === { wins: "win", losses: "loss", ties: "tie" }[shown];
    });
  };
  const drawTable = () => {
    const all = columns();
    const column = all.find((candidate) => candidate.key === state.sort) ?? all[0];
    const queries = kept();
    const order = (value) => (value === null || value === undefined ? -Infinity : value);
    queries.sort((a, b) => (state.down ? order(column.of(b)) - order(column.of(a)) : order(column.of(a)) - order(column.of(b))) || a - b);
    const head = html("tr", {}, ...all.map((one) => {
      const button = html("button", { type: "button" }, one.name);
      button.addEventListener("click", () => {
        [state.sort, state.down] = [one.key, state.sort === one.key ? !state.down : one.key !== "query"];
        drawTable();
        byId("query-table").querySelector(`th[aria-sort="${state.down ? "descending" : "ascending"}"] button`)?.focus();
      });
      const sorted = one === column ? (state.down ? "descending" : "ascending") : null;
      const chosen = one.plan === state.x || one.plan === state.y ? "chosen" : null;
      return html("th", { scope: "col", "aria-sort": sorted, class: chosen }, button);
    }));
    const shown = state.all ? queries : queries.slice(0, FEW);
    byId("query-table").replaceChildren(html("thead", {}, head), html("tbody", {}, ...shown.map((query) => queryRow(all, query))));
    byId("num-shown").textContent = `${shown.length} of ${data.queries.length} queries`;
    byId("more").hidden = shown.length === queries.length;
    byId("more").textContent = `Show all ${queries.length}`;
  };
  const queryRow = (all, query) => {
    const button = html("button", { type: "button", "aria-expanded": "false", dir: "auto" },
      html("small", {}, data.queries[query][0]), " ", data.queries[query][1]);
    const cells = all.slice(1).map((one) => {
      const value = one.of(query);
      if (one.key === "difference") return html("td", { class: { win: "up", loss: "down" }[side(query)] }, signed(value));
      if (one.plan === undefined) return html("td", {}, String(value));
      const cell = html("td", { class: one.plan === state.x || one.plan === state.y ? "value chosen" : "value" }, number(value));
      cell.style.setProperty("--share", `${Math.max(0, Math.min(1, value ?? 0)) * 100}%`);
      return cell;
    });
    const row = html("tr", {}, html("th", { scope: "row", class: "text" }, button), ...cells);
    button.addEventListener("click", () => {
      const isOpen = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!isOpen));
      if (isOpen) row.nextElementSibling.remove();
      else row.after(html("tr", { class: "opened" }, html("td", { colspan: all.length }, html("div", { class: "detail" }, ...queryDetail(query)))));
    });
    return row;
  };

  if (isAlone) {
    for (const element of [document.querySelector(".explorer"), byId("plan-x").parentElement, byId("plan-y").parentElement, byId("show").parentElement]) {
      element.hidden = true;
    }
  }
  const redraw = () => {
    state.x = Number(byId("plan-x").value);
    state.y = Number(byId("plan-y").value);
    state.measure = Number(byId("measure").value);
    if (!isAlone) drawScatter();
    drawTable();
    if (state.query !== null) open([state.query], false);
    mark();
  };
  for (const id of ["plan-x", "plan-y", "measure"]) byId(id).addEventListener("change", redraw);
  for (const id of ["find", "show"]) {
    byId(id).addEventListener("input", () => { state.all = false; drawTable(); });
  }
  byId("more").addEventListener("click", () => { state.all = true; drawTable(); });
  let width = 0;
  new ResizeObserver(() => {
    if (isAlone || byId("scatter").clientWidth === width) return;
    width = byId("scatter").clientWidth;
    drawScatter();
  }).observe(byId("scatter"));
  redraw();
})();
