// One trace, which grows while spans come in, and two traces beside each other.
"use strict";

class TraceView {
  constructor(main, [id = ""], parameters) {
    this.id = id;
    this.from = parameters.get("from") || "";
    this.tags = {};
    this.place = el("article");
    document.title = `${id} · Tracebridge`;
    main.append(this.place);
  }

  async look() {
    const answer = await app.ask("trace", { id: this.id, from: this.from }, this.tags, "trace");
    if (answer?.rows) this.draw(answer);
    else if (answer) this.missing(answer);
  }

  /** Say that the text is no whole ID of one trace, and which it may mean. */
  missing({ near, told }) {
    const where = this.from || app.destinations.join(", ");
    this.place.replaceChildren(
      el("h1", {}, this.id),
      el("p", { role: "status", class: "message" }, near.length ? `This is no whole ID. In ${where} it may mean:` : `There is no such trace in ${where}. It is shown here when it comes.`),
      el("ul", {}, ...near.map(({ id, why, from }) => el("li", {}, el("a", { href: address(["trace", id], { from }) }, id), ` by ${why}, in ${from}`))),
      ...told.map((line) => el("p", { class: "facts" }, line)));
  }

  draw(picture) {
    const state = this.waterfall?.state();
    if (state) app.say(`the trace has ${count(picture.spans, "span")} now`);
    document.title = `${picture.id} · Tracebridge`;
    this.place.replaceChildren(traceHead(picture, app.destinations.length > 1 && el("span", {}, `from ${picture.from}`), outside(picture)));
    if (picture.others.length) {
      this.place.append(el("p", { class: "note" }, `${count(picture.others.length, "more trace")} with this ID: `,
        ...picture.others.flatMap((id) => [el("a", { href: address(["trace", id], { from: this.from }) }, id), " "])));
    }
    this.waterfall = new Waterfall(this.place, picture, { state, link: (id) => el("a", { href: address(["trace", id], { from: this.from }) }, id) });
  }
}

/** Where else the trace is shown: the system's own page, when that is an address of the web. */
function outside(picture) {
  if (!picture.link || !/^https?:\/\//.test(picture.link)) return null;
  return el("span", {}, el("a", { href: picture.link, rel: "noreferrer noopener", target: "_blank" }, `open in ${picture.from}`));
}

class CompareView {
  constructor(main, ids, parameters) {
    document.title = "Two traces · Tracebridge";
    this.still = true; // two that are compared stay as they are
    this.ids = ids.slice(0, 2);
    this.from = parameters.get("from") || "";
    this.main = main;
  }

  async look() {
    const pictures = await Promise.all(this.ids.map((id) => app.ask("trace", { id, from: this.from })));
    const missing = this.ids.filter((_, which) => !pictures[which].rows);
    if (missing.length || pictures.length < 2) throw new Error(`Two traces are compared; there is no ${missing.join(" and no ") || "second one"}.`);
    const whole = Math.max(...pictures.map((picture) => picture.duration));
    const two = el("div", { class: "two" });
    for (const picture of pictures) {
      const section = el("section", { "aria-label": picture.id }, traceHead(picture));
      new Waterfall(section, picture, { whole });
      two.append(section);
    }
    this.main.replaceChildren(differences(...pictures), two);
  }
}

/** What the spans of each service and name took in both traces, the greatest difference first. */
function differences(one, other) {
  const groups = new Map();
  [one, other].forEach((picture, which) => picture.rows.forEach((row) => {
    const key = JSON.stringify([row.service, row.name]);
    if (!groups.has(key)) groups.set(key, { row, number: [0, 0], took: [0, 0] });
    groups.get(key).number[which] += 1;
    groups.get(key).took[which] += row.duration;
  }));
  const sorted = [...groups.values()].sort((a, b) => Math.abs(b.took[1] - b.took[0]) - Math.abs(a.took[1] - a.took[0]));
  const cells = (group, which) => el("td", { class: "number" }, group.number[which] ? `${group.number[which] > 1 ? `${group.number[which]} spans, ` : ""}${duration(group.took[which])}` : "–");
  const rows = sorted.slice(0, 100).map((group) => {
    const more = group.took[1] - group.took[0];
    return el("tr", {}, el("td", {}, el("span", { class: "cut" }, group.row.name)), el("td", {}, el("span", { class: "cut" }, group.row.service)), cells(group, 0), cells(group, 1),
      el("td", { class: `number ${more > 0 ? "more-time" : "less-time"}` }, more === 0 ? "the same" : `${more > 0 ? "+" : "−"}${duration(Math.abs(more))}`));
  });
  const heads = ["name", "service", one.id, other.id, "difference"];
  return el("section", {}, el("h1", {}, "Two traces"), el("details", { open: true, class: "trace" },
    el("summary", {}, `Differences, the greatest first${sorted.length > 100 ? ` (100 of ${sorted.length})` : ""}`),
    el("div", { class: "scroll" }, el("table", { class: "list" },
      el("thead", {}, el("tr", {}, ...heads.map((text, at) => el("th", { scope: "col", class: at > 1 ? "number" : null }, el("span", { class: "cut", title: text }, text))))), el("tbody", {}, ...rows)))));
}
