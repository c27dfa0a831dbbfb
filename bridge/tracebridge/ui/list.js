// The list: filters, charts of what is listed, one row a trace, two of which can be compared.
"use strict";

const SINCE = [["", "any time"], ["15", "15 minutes"], ["60", "1 hour"], ["360", "6 hours"], ["1440", "1 day"], ["10080", "7 days"]];
const STEPS = [50, 100, 200]; // traces of a list

class ListView {
  constructor(main, _, parameters) {
    document.title = "Traces · Tracebridge";
    this.filters = Object.fromEntries(parameters);
    this.still = "before" in this.filters; // what was before a moment stays so
    this.limit = STEPS[0];
    this.tags = {};
    this.picked = [];
    this.shown = null;
    this.form = this.filterForm();
    this.charts = el("div", { class: "charts" });
    this.table = el("div");
    this.under = el("p", { class: "under" });
    main.append(el("h1", { class: "sr" }, "Traces"), this.form, this.charts, this.table, this.under);
  }

  async look() {
    const { minutes, ...asked } = this.filters;
    if (minutes) asked.since = Math.round(Date.now() / 60000 - Number(minutes)) * 60000;
    const answer = await app.ask("traces", { ...asked, limit: this.limit }, this.tags, JSON.stringify([asked, this.limit]));
    if (answer) this.draw(answer);
  }

  filterForm() {
    const input = (name, label, { class: class_, ...more } = {}) => el("label", { class: class_ }, label,
      el("input", { name, value: this.filters[name] || "", spellcheck: "false", autocomplete: "off", ...more }));
    const select = (name, label, options) => {
      const made = el("select", { name }, ...options.map(([value, text]) => el("option", { value }, text)));
      made.value = this.filters[name] || "";
      return el("label", {}, label, made);
    };
    this.services = el("datalist", { id: "services" });
    const form = el("form", { class: "filters", role: "search", "aria-label": "Filter traces" },
      input("id", "ID contains"), input("name", "name contains"), input("service", "service", { list: "services" }), this.services,
      select("status", "status", [["", "any"], ["ERROR", "error"], ["OK", "ok"], ["UNSET", "unset"]]),
      select("minutes", "started within", SINCE),
      input("min", "at least, ms", { class: "short", inputmode: "numeric" }), input("max", "at most, ms", { class: "short", inputmode: "numeric" }),
      input("attribute", "attribute key=value"),
      input("filter", "filter (as `search --filter`)", { class: "wide" }),
      el("button", { type: "submit" }, "Search"), el("a", { href: address([], { from: app.from }) }, "Clear"));
    const submit = (event) => {
      event.preventDefault();
      location.hash = address([], { ...Object.fromEntries([...new FormData(form)].map(([key, value]) => [key, value.trim()])), from: app.from });
    };
    const box = el("details", { class: "filter-box", open: matchMedia("(min-width: 641px)").matches || Object.keys(this.filters).some((key) => key !== "from") }, el("summary", {}, "Filters"), form);
    form.addEventListener("submit", submit);
    form.addEventListener("change", (event) => event.target.tagName === "SELECT" && submit(event));
    return box;
  }

  draw(answer) {
    const focus = document.activeElement?.getAttribute("data-key");
    const fresh = this.shown && answer.traces.filter((trace) => !this.shown.has(trace.wire_id));
    this.shown = new Set(answer.traces.map((trace) => trace.wire_id));
    if (fresh?.length) app.say(count(fresh.length, "new trace"));
    const isFiltered = Object.keys(this.filters).some((key) => key !== "from");
    this.services.replaceChildren(...answer.map.services.map(({ name }) => el("option", { value: name })));
    this.charts.replaceChildren();
    if (answer.traces.length) {
      const bounds = (min, max) => address([], { ...this.filters, min, max });
      this.charts.append(latencyChart(answer.traces, bounds), serviceMap(answer.map, answer.traces.map((trace) => trace.service), (service) => address([], { ...this.filters, service })));
    }
    this.table.replaceChildren(answer.traces.length ? this.rows(answer.traces, new Set(fresh?.map((trace) => trace.wire_id)))
      : el("p", { class: "message" }, answer.stopped_ms !== null ? "None so far." : isFiltered ? "No trace matches." : "No traces yet. They appear here as they complete."));
    this.underline(answer);
    if (focus) document.querySelector(`main [data-key="${CSS.escape(focus)}"]`)?.focus();
  }

  rows(traces, fresh) {
    const longest = Math.max(1, ...traces.map((trace) => trace.duration));
    const ids = new Map();
    for (const { id } of traces) ids.set(id, (ids.get(id) || 0) + 1);
    const body = el("tbody");
    for (const trace of traces) {
      const key = ids.get(trace.id) > 1 ? trace.wire_id : trace.key;
      const started = new Date(trace.start_ms);
      const pick = el("input", { type: "checkbox", "aria-label": `compare ${trace.id}`, "data-key": `pick ${trace.wire_id}`, change: () => this.pick(trace.wire_id) });
      pick.checked = this.picked.includes(trace.wire_id);
      const length = el("span", { class: "length", "aria-hidden": "true" });
      length.style.width = `${Math.max(1, (100 * trace.duration) / longest)}%`;
      body.append(el("tr", { class: fresh.has(trace.wire_id) ? "new" : null },
        el("td", { class: "pick" }, pick),
        el("td", { class: "id" }, el("a", { href: address(["trace", key], { from: app.from }), title: trace.id, "data-key": trace.wire_id }, trace.id)),
        el("td", {}, el("span", { class: "cut", title: trace.name }, trace.name || "(no name)")),
        el("td", {}, el("span", { class: "cut", title: trace.service }, trace.service)),
        el("td", { class: trace.status === "ERROR" ? "bad" : trace.errors ? "within" : null }, statusWords(trace)),
        el("td", { class: "number" }, trace.spans.toLocaleString("en")),
        el("td", { class: "number" }, duration(trace.duration), length),
        el("td", { class: "number" }, Number.isNaN(started.getTime()) ? "" : el("time", { datetime: started.toISOString(), title: started.toISOString() }, local(started)))));
    }
    const heads = ["", "trace", "name", "service", "status", "spans", "duration", "started"];
    return el("div", { class: "scroll" }, el("table", { class: "list list-of-traces" },
      el("thead", {}, el("tr", {}, ...heads.map((text, at) => el("th", { scope: "col", class: at > 4 ? "number" : null }, text || el("span", { class: "sr" }, "compare"))))), body));
  }

  /** Note a trace for comparison; of three the first is let go. */
  pick(wireId) {
    this.picked = this.picked.includes(wireId) ? this.picked.filter((one) => one !== wireId) : [...this.picked, wireId].slice(-2);
    for (const box of this.table.querySelectorAll("[type=checkbox]")) box.checked = this.picked.includes(box.dataset.key.slice("pick ".length));
    this.compare.disabled = this.picked.length < 2;
  }

  underline(answer) {
    const { traces, more } = answer;
    const stopped = answer.stopped_ms !== null;
    this.compare = el("button", { type: "button", disabled: this.picked.length < 2, click: () => { location.hash = address(["compare", ...this.picked], { from: app.from }); } }, "Compare the two that are ticked");
    const next = STEPS.find((step) => step > this.limit);
    const oldest = stopped ? answer.stopped_ms : Math.ceil(Math.min(...traces.map((trace) => trace.start_ms)));
    this.under.replaceChildren(...[
      traces.length > 1 && this.compare,
      traces.length > 0 && el("span", {}, `${more ? "the newest " : ""}${count(traces.length, "trace")}${this.still ? ` before ${local(new Date(Number(this.filters.before)))}` : ""}`),
      stopped && el("span", {}, `It takes long, so the search went back to ${local(new Date(answer.stopped_ms))} only.`),
      more && next && !stopped && el("button", { type: "button", click: () => { this.limit = next; this.shown = null; app.look(app.number); } }, `Show ${next}`),
      more && el("a", { href: address([], { ...this.filters, before: String(oldest) }) }, stopped ? "Search on from there" : "Older"),
      this.still && el("a", { href: address([], { ...this.filters, before: "" }) }, "Newest"),
    ].filter(Boolean));
  }
}

function statusWords(trace) {
  if (trace.status === "ERROR") return "✗ error";
  return trace.errors ? `${trace.status.toLowerCase()}, ${count(trace.errors, "error")} within` : trace.status.toLowerCase();
}

/** A moment in this place's own time, in the order in which it sorts: 2026-01-31 12:00:00.123. */
function local(moment) {
  return Number.isNaN(moment.getTime()) ? "" : `${moment.toLocaleString("sv")}.${String(moment.getMilliseconds()).padStart(3, "0")}`;
}
