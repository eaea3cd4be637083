// Draws the report's plots from the JSON in #data. The tables of the page say the same in text.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const drawn = [];
  const HEIGHT = 260;

  function candles(host) {
    const choice = document.getElementById("symbol");
    const said = document.getElementById("candles-said");
    for (const one of data.candles) {
      choice.add(new Option(one.symbol, one.symbol));
    }
    const { createChart, CandlestickSeries, HistogramSeries, LineSeries, LineStyle } = LightweightCharts;
    const chart = createChart(host, { autoSize: true, timeScale: { timeVisible: data.width < 86400, secondsVisible: data.width < 60 } });
    const price = chart.addSeries(CandlestickSeries);
    const volume = chart.addSeries(HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
    chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.8, bottom: 0 } });
    const bands = ["middle", "upper", "lower"].map((name) => [
      name, chart.addSeries(LineSeries, { lineWidth: name === "middle" ? 2 : 1, lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false }),
    ]);
    let record = null;
    function show() {
      const one = data.candles.find((each) => each.symbol === choice.value);
      const [up, down, line, text] = ["up", "down", "line", "text"].map(colour);
      chart.applyOptions({
        layout: { background: { color: "transparent" }, textColor: text },
        grid: { vertLines: { color: colour("rule") }, horzLines: { color: colour("rule") } },
      });
      price.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false });
      price.setData(one.time.map((time, at) => ({ time, open: one.open[at], high: one.high[at], low: one.low[at], close: one.close[at] })));
      volume.setData(one.time.map((time, at) => ({ time, value: one.volume[at], color: `${one.close[at] < one.open[at] ? down : up}80` })));
      for (const [name, series] of bands) {
        series.applyOptions({ color: line });
        series.setData(one.time.map((time, at) => (one[name][at] === null ? { time } : { time, value: one[name][at] })));
      }
      if (record) {
        price.removePriceLine(record);
      }
      const high = data.records[one.symbol];
      record = high === undefined ? null : price.createPriceLine({ price: high, color: line, lineWidth: 1, lineStyle: LineStyle.Dashed, title: "record" });
      chart.timeScale().fitContent();
      const last = one.close.length - 1;
      said.textContent = `${one.time.length} candles, last close ${one.close[last]}, low ${Math.min(...one.low)}, high ${Math.max(...one.high)}`;
    }
    choice.addEventListener("change", show);
    drawn.push(show);
    show();
  }

  // A moment's clock time is enough beneath a bar; the table below has all of it.
  const short = (name) => name.replace(/^\d{4}-\d{2}-\d{2}T/, "").slice(0, 14);

  // Named bars; several heights of a name stand side by side.
  function bars(host, names, heights) {
    const columns = Object.keys(heights);
    let plot = null;
    function show() {
      if (plot) {
        plot.destroy();
      }
      const text = colour("text");
      const rule = colour("rule");
      const axis = { stroke: text, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule } };
      const colours = columns.length > 1 ? ["up", "down"] : ["line"];
      plot = new uPlot(
        {
          width: host.clientWidth,
          height: HEIGHT,
          scales: {
            x: { time: false, range: [-0.6, names.length - 0.4] },
            y: { range: (_, low, high) => [Math.min(0, low * 1.1), Math.max(0, high * 1.1) || (low < 0 ? 0 : 1)] },
          },
          axes: [
            { ...axis, grid: { show: false }, splits: () => names.map((_, at) => at), values: (_, splits) => splits.map((at) => short(names[at])), rotate: -35, size: 80 },
            { ...axis, size: 80, values: (_, splits) => splits.map((value) => value.toLocaleString("en", { notation: "compact" })) },
          ],
          series: [
            { label: "name", value: (_, at) => names[at] ?? "" },
            ...columns.map((column, at) => ({
              label: column,
              stroke: colour(colours[at]),
              fill: `${colour(colours[at])}b0`,
              points: { show: false },
              paths: uPlot.paths.bars({ size: [0.8 / columns.length, 60], align: columns.length === 1 ? 0 : at ? 1 : -1 }),
            })),
          ],
        },
        [names.map((_, at) => at), ...Object.values(heights)],
        host,
      );
    }
    drawn.push(show);
    new ResizeObserver(() => plot.setSize({ width: host.clientWidth, height: HEIGHT })).observe(host);
    show();
  }

  const host = document.getElementById("candles");
  if (host) {
    candles(host);
  }
  for (const place of document.querySelectorAll("[data-plot]")) {
    const { names, heights } = data.plots[place.dataset.plot];
    bars(place, names, heights);
  }
  dark.addEventListener("change", () => drawn.forEach((show) => show()));
  document.documentElement.dataset.drawn = String(drawn.length);
})();
