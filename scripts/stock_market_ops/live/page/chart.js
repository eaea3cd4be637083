// The candles of one symbol with their volume, forming live. At most MOST candles are kept, however long the page is open.
import { byId, colour, dark, decimals, percent, price, text } from "./dom.js";

const MOST = 2000;
const SLACK = 200;
const PIXELS = 6;
const LEAST = 30;

export class Chart {
  constructor(host) {
    const { createChart, CandlestickSeries, HistogramSeries } = LightweightCharts;
    // The logo would come with a style of its own, which the page's policy refuses; the footer names its makers.
    this.chart = createChart(host, { autoSize: true, layout: { attributionLogo: false }, timeScale: { rightOffset: 4 } });
    this.price = this.chart.addSeries(CandlestickSeries, {});
    this.volume = this.chart.addSeries(HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.host = host;
    this.symbol = "";
    this.width = 0;
    this.candles = [];
    this.paint();
    dark.addEventListener("change", () => this.paint());
  }

  paint() {
    const [up, down, words, rule] = ["up", "down", "text", "rule"].map(colour);
    this.colours = { up: `${up}70`, down: `${down}70` };
    this.chart.applyOptions({
      layout: { background: { color: "transparent" }, textColor: words },
      grid: { vertLines: { color: rule }, horzLines: { color: rule } },
      timeScale: { borderColor: rule },
      rightPriceScale: { borderColor: rule },
    });
    this.price.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false });
    this.set();
  }

  shows(symbol, width) {
    return symbol === this.symbol && width === this.width;
  }

  begin({ symbol, width, candles }) {
    const same = this.shows(symbol, width);
    this.symbol = symbol;
    this.width = width;
    const first = candles.length ? candles[0][0] : Infinity;
    this.candles = same ? [...this.candles.filter(([time]) => time < first), ...candles] : candles;
    const last = candles.at(-1);
    if (last) {
      const places = decimals(last[4]);
      this.price.applyOptions({ priceFormat: { type: "price", precision: places, minMove: 10 ** -places } });
    }
    this.chart.timeScale().applyOptions({ timeVisible: width < 86400, secondsVisible: width < 60 });
    this.set();
    if (!same) {
      this.frame();
    }
    this.say();
  }

  // Shows the newest candles, and all of a few.
  frame() {
    const count = this.candles.length;
    const shown = Math.floor(this.host.clientWidth / PIXELS);
    this.chart.timeScale().setVisibleLogicalRange({ from: Math.max(0, count - shown), to: Math.max(count, LEAST) + 3 });
  }

  // Puts candles before those that are here; returns how many there were.
  before(candles) {
    const first = this.candles.length ? this.candles[0][0] : Infinity;
    const older = candles.filter(([time]) => time < first);
    if (older.length) {
      this.candles = [...older, ...this.candles].slice(-MOST);
      this.set();
      this.frame();
    }
    return older.length;
  }

  add(candles) {
    for (const candle of candles) {
      const last = this.candles.at(-1);
      if (last && candle[0] < last[0]) {
        continue;
      }
      if (last && candle[0] === last[0]) {
        this.candles[this.candles.length - 1] = candle;
      } else {
        this.candles.push(candle);
      }
      this.price.update(this.bar(candle));
      this.volume.update(this.pile(candle));
    }
    if (this.candles.length > MOST + SLACK) {
      this.candles = this.candles.slice(-MOST);
      const range = this.chart.timeScale().getVisibleRange();
      this.set();
      if (range && range.from >= this.candles[0][0]) {
        this.chart.timeScale().setVisibleRange(range);
      }
    }
    this.say();
  }

  set() {
    this.price.setData(this.candles.map((candle) => this.bar(candle)));
    this.volume.setData(this.candles.map((candle) => this.pile(candle)));
  }

  bar([time, open, high, low, close]) {
    return { time, open, high, low, close };
  }

  pile([time, open, , , close, value]) {
    return { time, value, color: close < open ? this.colours.down : this.colours.up };
  }

  say() {
    const last = this.candles.at(-1);
    if (!last) {
      text(byId("candles-text"), "No candles yet.");
      return;
    }
    const [, open, high, low, close, volume] = last;
    const move = open ? (100 * (close - open)) / open : 0;
    text(
      byId("candles-text"),
      `This candle: open ${price(open)}, high ${price(high)}, low ${price(low)}, close ${price(close)}, volume ${volume.toLocaleString("en")}, ${percent(move)}. ${this.candles.length} candles.`,
    );
  }
}
