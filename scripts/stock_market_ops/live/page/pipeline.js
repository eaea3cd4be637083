// The way of the data with live numbers, what is wrong and what it means, the brokers, the alerts, and the rates of ten minutes.
import { byId, clock, colour, compact, dark, element, number, seconds, text } from "./dom.js";

const POINTS = 600;
const HEIGHT = 200;

// Of those that run: Prometheus still knows the last rates of one that has just ended.
const total = (services, name) => services.reduce((sum, one) => sum + (one.up ? one.numbers[name] ?? 0 : 0), 0);
const size = (bytes) => (bytes < 1e4 ? `${number(bytes)} B` : bytes < 1e7 ? `${number(bytes / 1e3)} kB` : `${number(bytes / 1e6)} MB`);

export class Pipeline {
  constructor() {
    this.state = null;
    this.reading = null;
    this.ahead = 0;
    this.points = [[], [], [], []];
    this.plot = null;
    this.stale = true;
    dark.addEventListener("change", () => this.replot());
    setInterval(() => { this.stale = true; this.draw(); }, 1000);
  }

  begin(hello) {
    this.topic = hello.topic;
  }

  take(state) {
    this.state = state;
    this.stale = true;
  }

  // How the page itself reads the topic, once a second; `now` is the clock of the page's program.
  stream(reading, now) {
    this.reading = reading;
    this.ahead = now - Date.now();
    const at = Math.floor(now / 1000);
    const row = [at, reading.rate, this.known() ? total(this.state.producers, "produced") : null, this.known() ? total(this.state.consumers, "consumed") : null];
    if (this.points[0].at(-1) !== at) {
      this.points.forEach((column, place) => column.push(row[place]));
      if (this.points[0].length > POINTS) {
        this.points.forEach((column) => column.splice(0, column.length - POINTS));
      }
    }
    this.stale = true;
  }

  known() {
    return Boolean(this.state && !this.state.problems.prometheus);
  }

  // [state, sentence] for the head of the page.
  health() {
    if (!this.state) {
      return ["unknown", "Connecting"];
    }
    const { findings, alerts, problems } = this.state;
    if (findings.length) {
      return [findings[0].stops ? "stopped" : "warned", `${findings[0].what}${findings.length > 1 ? `, and ${findings.length - 1} more` : ""}`];
    }
    if (alerts.length) {
      return ["warned", `${alerts.length} alert${alerts.length > 1 ? "s" : ""}: ${alerts[0].name}`];
    }
    if (problems.kafka) {
      return ["warned", "The brokers are not known yet"];
    }
    return ["well", problems.prometheus ? "No fault is seen; metrics are missing" : "All is well"];
  }

  shown() {
    this.stale = true;
    this.draw();
  }

  draw() {
    if (!this.stale || !this.state || document.hidden || byId("pipeline-view").hidden) {
      return;
    }
    this.stale = false;
    const { state } = this;
    const age = (milliseconds) => seconds((Date.now() + this.ahead - milliseconds) / 1000);
    this.producers(state);
    this.topicPart(state);
    this.consumers(state);
    const { stored, problems } = state;
    this.part("s3", stored.object_at === null ? "–" : age(stored.object_at), "since the newest", [
      stored.object_bytes === null ? problems.s3 : `${size(stored.object_bytes)}, gzip`,
      stored.reached === null ? "" : `${number(stored.reached)} records stored`,
      stored.reached === null || !this.reading?.end ? "" : `${number(Math.max(0, this.reading.end - stored.reached))} wait`,
    ], stored.object_at === null ? "unknown" : this.has("Nothing new in S3") ? "stopped" : "well", !this.has("Nothing new in S3") && stored.object_at !== null);
    this.part("athena", stored.rows === null ? "–" : compact(stored.rows), stored.rows_of_objects === null ? "rows this hour" : "rows of the newest objects", [
      stored.row_at === null ? problems.athena : `newest row ${clock(stored.row_at)} UTC`,
    ], stored.rows === null ? "unknown" : "well", false);
    this.times(state);
    this.findings(state);
    this.brokers(state);
    this.alerts(state);
    this.events(state);
    this.rates();
  }

  // From the event to each place, as far as it is known.
  times({ numbers, stored, flush_seconds }) {
    const delay = this.reading && Math.abs(this.reading.delay) < 3_600_000 ? seconds(this.reading.delay / 1000) : "–";
    const stages = [
      [delay, "from event to topic"],
      "to_object_median" in numbers
        ? [seconds(numbers.to_object_median), `from topic to S3, the median; 99 % within ${seconds(numbers.to_object_99 ?? 0)}`]
        : [`up to ${seconds(flush_seconds)}`, "from topic to S3, as it is set"],
      [stored.row_delay === null ? "–" : seconds(stored.row_delay), "from event to an answer of Athena"],
    ];
    this.fill(byId("times"), stages, ([value, what]) => [element("strong", "", value), what], () => "");
  }

  has(what) {
    return this.state.findings.some((finding) => finding.what.startsWith(what));
  }

  part(name, big, unit, lines, state, flows) {
    const place = byId(`part-${name}`);
    place.dataset.state = state;
    place.dataset.flows = String(flows);
    const head = place.querySelector(".big");
    if (head.dataset.said !== `${big} ${unit}`) {
      head.dataset.said = `${big} ${unit}`;
      head.replaceChildren(big, " ", element("small", "", unit));
    }
    this.fill(place.querySelector("ul"), lines.filter(Boolean), (line) => [line], () => "");
  }

  producers(state) {
    if (!this.known()) {
      this.part("producers", "–", "", ["not seen without metrics"], "unknown", (this.reading?.rate ?? 0) > 0);
      return;
    }
    const down = state.producers.filter((one) => !one.up);
    const rate = total(state.producers, "produced");
    this.part("producers", compact(rate), "records/s", [
      `${state.producers.length - down.length} of ${state.producers.length} run`,
      down.length < state.producers.length ? `target ${compact(total(state.producers, "stock_producer_target_records_per_second"))} records/s` : "",
      down.length < state.producers.length ? `${number(total(state.producers, "stock_producer_buffered_records"))} records held` : "",
      total(state.producers, "refused") >= 1 ? `${number(total(state.producers, "refused"))} errors in 5 min` : "",
    ], !state.producers.length ? "unknown" : down.length === state.producers.length ? "stopped" : down.length ? "warned" : "well", rate > 0);
  }

  topicPart(state) {
    const down = state.brokers.filter((one) => !one.up).length;
    const rate = this.reading?.rate ?? 0;
    this.part("topic", compact(rate), "records/s", [
      this.topic,
      `${state.partitions.length} partition${state.partitions.length === 1 ? "" : "s"}, ${number(this.reading?.symbols ?? 0)} symbols`,
      `${state.brokers.length - down} of ${state.brokers.length} broker${state.brokers.length === 1 ? "" : "s"} answer${state.brokers.length - down === 1 ? "s" : ""}`,
      this.reading?.invalid ? `${number(this.reading.invalid)} records are no quotes` : "",
    ], down && down === state.brokers.length ? "stopped" : down || this.has("No leader") || this.has("Not fully") ? "warned" : state.partitions.length ? "well" : "unknown", rate > 0 && down < state.brokers.length);
  }

  consumers(state) {
    if (!this.known()) {
      this.part("consumers", "–", "", ["not seen without metrics"], "unknown", !this.has("Nothing new in S3"));
      return;
    }
    const down = state.consumers.filter((one) => !one.up);
    const rate = total(state.consumers, "consumed");
    const oldest = Math.max(0, ...state.consumers.map((one) => one.numbers.stock_consumer_held_oldest_seconds ?? 0));
    this.part("consumers", compact(rate), "records/s", [
      `${state.consumers.length - down.length} of ${state.consumers.length} run`,
      rate ? `lag ${number(total(state.consumers, "stock_consumer_lag_records"))} records` : "",
      rate ? `${number(total(state.consumers, "stock_consumer_held_records"))} held, the oldest ${seconds(oldest)}` : "",
      total(state.consumers, "quarantined") >= 1 ? `${number(total(state.consumers, "quarantined"))} quarantined in 5 min` : "",
    ], !state.consumers.length ? "unknown" : down.length === state.consumers.length ? "stopped" : down.length ? "warned" : "well", rate > 0);
  }

  findings(state) {
    const list = state.findings.length
      ? state.findings
      : [{ what: "Nothing that is seen from here", meaning: state.problems.prometheus ? `${state.problems.prometheus} Producers and consumers are not seen without it.` : "", fine: true }];
    this.fill(byId("findings"), list, (one) => [element("strong", "", one.what), one.meaning], (one) => (one.fine ? "well" : one.stops ? "stops" : ""));
  }

  brokers(state) {
    const cells = state.brokers.map((one) => [
      `${one.name}${one.number >= 0 ? ` (${one.number})` : ""}${one.controller ? ", controller" : ""}`,
      one.up ? "answers" : "does not answer",
      one.leads.length ? one.leads.join(", ") : "none",
      one.address,
    ]);
    this.fill(byId("brokers").tBodies[0], cells, (row) => row.map((cell, at) => element("td", at === 1 ? (cell === "answers" ? "up" : "down") : "", cell)), () => "", "tr");
  }

  alerts(state) {
    const none = { name: this.known() ? "None fires" : "Not known", text: this.known() ? "" : state.problems.prometheus, severity: this.known() ? "well" : "" };
    this.fill(byId("alerts"), state.alerts.length ? state.alerts : [none], (one) => [element("strong", "", one.name), one.text], (one) => one.severity);
  }

  events(state) {
    const rows = state.events.length ? state.events.toReversed() : [null];
    this.fill(byId("events"), rows, (one) => (one ? [element("time", "", clock(one.at)), one.began ? one.what : `Over: ${one.what}`] : ["Nothing since this page's program started."]), () => "");
  }

  // Fills a list anew where it changed.
  fill(place, items, content, className, name = "li") {
    const said = JSON.stringify(items);
    if (place.dataset.said !== said) {
      place.dataset.said = said;
      place.replaceChildren(...items.map((item) => element(name, className(item), ...content(item))));
    }
  }

  rates() {
    const last = this.points.map((column) => column.at(-1));
    for (const key of document.querySelectorAll(".key.producers, .key.consumers")) {
      key.hidden = !this.known();
    }
    text(byId("rates-text"), `Now: topic ${compact(last[1] ?? 0)}${last[2] === null ? "" : `, producers ${compact(last[2])}, consumers ${compact(last[3])}`} records a second.`);
    if (!this.plot) {
      this.replot();
    }
    this.plot.setData(this.points);
  }

  replot() {
    const host = byId("rates");
    if (byId("pipeline-view").hidden && !this.plot) {
      return;
    }
    this.plot?.destroy();
    const [words, rule, line, up, warn] = ["text", "rule", "line", "up", "warn"].map(colour);
    const axis = { stroke: words, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule } };
    this.plot = new uPlot(
      {
        width: host.clientWidth,
        height: HEIGHT,
        scales: { y: { range: (_, low, high) => [0, Math.max(1, high * 1.15)] } },
        axes: [{ ...axis, space: 90, values: (_, splits) => splits.map((moment) => clock(moment * 1000)) }, { ...axis, size: 60, values: (_, splits) => splits.map((value) => compact(value)) }],
        legend: { show: false },
        cursor: { show: false },
        series: [
          {},
          { label: "topic", stroke: line, width: 2, fill: `${line}20`, points: { show: false } },
          { label: "producers", stroke: up, width: 1.5, points: { show: false } },
          { label: "consumers", stroke: warn, width: 1.5, dash: [6, 4], points: { show: false } },
        ],
      },
      this.points,
      host,
    );
    this.sized ??= new ResizeObserver(() => host.clientWidth && this.plot.setSize({ width: host.clientWidth, height: HEIGHT }));
    this.sized.observe(host);
  }
}
