// The page's state: one stream of server-sent events, the chosen symbol and width, and which view is shown.
import { Board } from "./board.js";
import { Chart } from "./chart.js";
import { Pipeline } from "./pipeline.js";
import { byId, number, text } from "./dom.js";

const WIDTHS = [[1, "1 s"], [5, "5 s"], [15, "15 s"], [60, "1 min"], [300, "5 min"], [900, "15 min"], [3600, "1 h"], [14400, "4 h"], [86400, "1 d"]];
const LOST_MILLISECONDS = 5000;

const chart = new Chart(byId("candles"));
const board = new Board(choose);
const pipeline = new Pipeline();
let chosen = { symbol: "", width: 5 };
let source = null;
let heard = performance.now();
let health = null;
// What came since the last frame: the page is drawn once a frame at most, however many messages come.
const waiting = [];

function choose(symbol, width = chosen.width) {
  if (symbol === chosen.symbol && width === chosen.width && source) {
    return;
  }
  chosen = { symbol, width };
  byId("symbol").value = symbol;
  listen();
}

function listen() {
  source?.close();
  source = new EventSource(`events?${new URLSearchParams({ symbol: chosen.symbol, width: chosen.width })}`);
  const own = source;
  source.addEventListener("message", (event) => {
    if (own === source) {
      if (waiting.push(JSON.parse(event.data)) === 1) {
        requestAnimationFrame(draw);
      }
      heard = performance.now();
      if (waiting.length > 50) {
        draw(); // a hidden tab draws no frames
      }
    }
  });
  source.addEventListener("error", () => {
    // A stream that the server refused is not opened again by the browser.
    if (own === source && own.readyState === EventSource.CLOSED) {
      setTimeout(() => own === source && listen(), 2000);
    }
  });
}

function draw() {
  for (const message of waiting.splice(0)) {
    take(message);
  }
  board.draw();
  pipeline.draw();
}

function take(message) {
  if (message.hello) {
    document.title = `${message.hello.deployment}, live`;
    text(byId("deployment"), message.hello.deployment);
    board.begin(message.sparks, message.hello.change_seconds);
    pipeline.begin(message.hello);
  }
  if (message.chart) {
    if (!chosen.symbol) {
      chosen.symbol = message.chart.symbol;
      byId("symbol").value = chosen.symbol;
    }
    chart.begin(message.chart);
    board.choose(message.chart.symbol);
    text(byId("announcer"), `${message.chart.symbol || "No symbol"}: ${message.chart.candles.length} candles`);
    older(message.chart.symbol, message.chart.width);
  }
  if (message.candles) {
    chart.add(message.candles);
  }
  if (message.board) {
    board.take(message.board);
  }
  if (message.pipeline) {
    pipeline.take(message.pipeline);
  }
  if (message.stream) {
    pipeline.stream(message.stream, message.now);
    notice(message.stream);
  }
}

async function older(symbol, width) {
  const said = byId("history-text");
  if (!symbol) {
    return;
  }
  text(said, "Asking Athena for older candles.");
  try {
    const answer = await fetch(`history?${new URLSearchParams({ symbol, width })}`);
    const found = await answer.json();
    if (!chart.shows(symbol, width)) {
      return;
    }
    const count = chart.before(found.candles);
    text(said, found.problem || (count ? `${number(count)} older candles from Athena.` : "Athena has no older candles yet."));
  } catch (error) {
    text(said, `No older candles: ${error.message}`);
  }
}

function notice(stream) {
  const parts = [];
  if (stream.problem) {
    parts.push(stream.problem);
  }
  if (stream.share < 1) {
    parts.push(`The topic takes more records than this page can read: it shows ${Math.max(1, Math.floor(stream.share * 100))} % of them. Last prices are right; highs, lows and volumes miss the rest.`);
  }
  if (stream.beyond) {
    parts.push("The topic has more symbols than this page keeps; the first 2,000 are shown.");
  }
  const place = byId("notice");
  text(place, parts.join(" "));
  place.hidden = !parts.length;
}

function look() {
  const lost = performance.now() - heard > LOST_MILLISECONDS;
  const [state, sentence] = lost ? ["lost", "No connection to this page's program: it ended, or is busy. The page connects again by itself."] : pipeline.health();
  const place = byId("health");
  place.dataset.state = state;
  text(byId("health-text"), sentence);
  if (health !== sentence) {
    if (health !== null) {
      text(byId("announcer"), sentence);
    }
    health = sentence;
  }
}

function show() {
  const name = location.hash === "#pipeline" ? "pipeline" : "market";
  for (const each of ["market", "pipeline"]) {
    byId(`${each}-view`).hidden = each !== name;
    const link = byId(`to-${each}`);
    if (each === name) {
      link.setAttribute("aria-current", "page");
    } else {
      link.removeAttribute("aria-current");
    }
  }
  if (name === "pipeline") {
    pipeline.shown();
  }
}

for (const [width, label] of WIDTHS) {
  const input = Object.assign(document.createElement("input"), { type: "radio", name: "width", value: width, checked: width === chosen.width });
  const place = document.createElement("label");
  place.append(input, label);
  byId("widths").append(place);
  input.addEventListener("change", () => choose(chosen.symbol, width));
}
byId("choice").addEventListener("submit", (event) => event.preventDefault());
byId("symbol").addEventListener("change", (event) => {
  const typed = event.target.value.trim();
  if (typed) {
    choose(board.known(typed));
  }
});
addEventListener("hashchange", show);
document.addEventListener("visibilitychange", () => document.hidden || draw());
setInterval(look, 250);
show();
listen();
