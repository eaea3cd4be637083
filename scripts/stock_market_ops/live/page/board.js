// The board of all symbols, the movers, and the head of the chosen one. Rows are drawn once a frame, and only those that changed.
import { byId, colour, compact, dark, direction, element, number, percent, price, seconds, still, text } from "./dom.js";

const SPARK = 60;
const SPARK_MILLISECONDS = 1000;
const MOVERS = 5;
const MOVERS_MILLISECONDS = 1000;
const FLASH_MILLISECONDS = 300;

class Line {
  constructor(symbol, spark, choose) {
    this.symbol = symbol;
    this.points = spark ?? [];
    this.slot = 0;
    this.last = null;
    const button = element("button", "", symbol);
    button.type = "button";
    button.addEventListener("click", () => choose(symbol));
    const head = element("th", "", button);
    head.scope = "row";
    this.price = element("td", "right");
    this.change = element("td", "right");
    this.canvas = element("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.row = element("tr", "", head, this.price, this.change, element("td", "", this.canvas));
  }

  take([, last, change, time, volume]) {
    this.before = this.last;
    this.last = last;
    this.moved = change;
    this.time = time;
    this.traded = volume;
    const slot = Math.floor(performance.now() / SPARK_MILLISECONDS);
    if (slot === this.slot && this.points.length) {
      this.points[this.points.length - 1] = last;
    } else {
      this.points.push(last);
      this.slot = slot;
    }
    if (this.points.length > SPARK) {
      this.points.splice(0, this.points.length - SPARK);
    }
  }

  draw() {
    text(this.price, price(this.last));
    text(this.change, percent(this.moved));
    this.change.className = `right ${direction(this.moved)}`;
    if (this.before !== null && this.before !== this.last && !still.matches) {
      const flash = this.last > this.before ? "moved-up" : "moved-down";
      this.price.className = `right ${flash}`;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => { this.price.className = "right"; }, FLASH_MILLISECONDS);
    }
    this.spark();
  }

  spark() {
    const ratio = devicePixelRatio || 1;
    const [width, height] = [84, 20];
    if (this.canvas.width !== width * ratio) {
      this.canvas.width = width * ratio;
      this.canvas.height = height * ratio;
    }
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const points = this.points;
    if (points.length < 2) {
      return;
    }
    const low = Math.min(...points);
    const span = Math.max(...points) - low || 1;
    pen.beginPath();
    points.forEach((value, at) => pen.lineTo(1 + (at * (width - 2)) / (SPARK - 1), height - 2 - ((value - low) * (height - 4)) / span));
    pen.strokeStyle = points.at(-1) < points[0] ? Line.colours.down : Line.colours.up;
    pen.lineWidth = 1.25;
    pen.stroke();
  }
}

export class Board {
  constructor(choose) {
    this.choose_symbol = choose;
    this.lines = new Map();
    this.changed = new Set();
    this.body = byId("board").tBodies[0];
    this.chosen = "";
    this.movers_at = 0;
    // Rows out of sight are drawn when they come into it.
    this.seen = new Set();
    this.watcher = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const line = this.lines.get(target.dataset.symbol);
        if (isIntersecting && line) {
          this.seen.add(line);
          this.changed.add(line);
        } else {
          this.seen.delete(line);
        }
      }
      this.draw();
    });
    this.paint();
    dark.addEventListener("change", () => this.paint());
  }

  paint() {
    Line.colours = { up: colour("up"), down: colour("down") };
    this.changed = new Set(this.lines.values());
  }

  begin(sparks, change_seconds) {
    this.sparks = new Map(Object.entries(sparks));
    text(byId("change-head"), `Change, ${seconds(change_seconds)}`);
    for (const [symbol, points] of this.sparks) {
      const line = this.lines.get(symbol);
      if (line) {
        line.points = points;
      }
    }
  }

  take(rows) {
    for (const row of rows) {
      let line = this.lines.get(row[0]);
      if (!line) {
        line = new Line(row[0], this.sparks?.get(row[0]), this.choose_symbol);
        line.row.dataset.symbol = row[0];
        this.lines.set(row[0], line);
        this.insert(line);
        this.watcher.observe(line.row);
      }
      line.take(row);
      this.changed.add(line);
    }
  }

  // Keeps the board in the order of the symbols' names.
  insert(line) {
    const rows = [...this.body.rows];
    const after = rows.find((row) => row.dataset.symbol > line.symbol);
    this.body.insertBefore(line.row, after ?? null);
    const option = element("option");
    option.value = line.symbol;
    byId("symbols").append(option);
    text(byId("board-count"), `${number(this.lines.size)}`);
    line.row.toggleAttribute("data-chosen", line.symbol === this.chosen);
  }

  // What was typed, as the topic writes it where the topic knows it in another case.
  known(typed) {
    if (this.lines.has(typed)) {
      return typed;
    }
    const lower = typed.toLowerCase();
    return [...this.lines.keys()].find((symbol) => symbol.toLowerCase() === lower) ?? typed;
  }

  choose(symbol) {
    this.lines.get(this.chosen)?.row.removeAttribute("data-chosen");
    this.chosen = symbol;
    this.lines.get(symbol)?.row.setAttribute("data-chosen", "");
    text(byId("quote-symbol"), symbol);
    text(byId("quote-last"), "");
    text(byId("quote-change"), "");
  }

  draw() {
    if (document.hidden) {
      return;
    }
    for (const line of this.changed) {
      if (this.seen.has(line)) {
        line.draw();
        this.changed.delete(line);
      }
    }
    const line = this.lines.get(this.chosen);
    if (line && line.last !== null) {
      text(byId("quote-last"), price(line.last));
      text(byId("quote-change"), percent(line.moved));
      byId("quote-change").className = `change ${direction(line.moved)}`;
    }
    const now = performance.now();
    if (now - this.movers_at > MOVERS_MILLISECONDS) {
      this.movers_at = now;
      const all = [...this.lines.values()].filter((each) => each.last !== null).sort((a, b) => b.moved - a.moved);
      this.list(byId("risers"), all.filter((each) => each.moved > 0).slice(0, MOVERS));
      this.list(byId("fallers"), all.filter((each) => each.moved < 0).slice(-MOVERS).reverse());
    }
  }

  list(place, lines) {
    while (place.children.length > lines.length) {
      place.lastChild.remove();
    }
    lines.forEach((line, at) => {
      const item = place.children[at] ?? place.appendChild(element("li", "", element("span"), element("span")));
      text(item.children[0], line.symbol);
      text(item.children[1], percent(line.moved));
      item.children[1].className = direction(line.moved);
      item.title = `volume ${compact(line.traded)}`;
    });
  }
}
