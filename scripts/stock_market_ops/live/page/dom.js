// Small helpers. What data says becomes text, never an element.
export const byId = (id) => document.getElementById(id);

export function text(place, value) {
  if (place.textContent !== value) {
    place.textContent = value;
  }
}

// An element with a class, and text or elements in it.
export function element(name, className, ...content) {
  const made = document.createElement(name);
  if (className) {
    made.className = className;
  }
  made.append(...content);
  return made;
}

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
export const dark = matchMedia("(prefers-color-scheme: dark)");
export const still = matchMedia("(prefers-reduced-motion: reduce)");

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const prices = new Map();

export const number = (value) => whole.format(value);
export const compact = (value) => (Math.abs(value) < 10_000 ? whole.format(value) : short.format(value));
export const percent = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)} %`;
export const direction = (value) => (value > 0 ? "up" : value < 0 ? "down" : "");

// Decimals by size: an index of 16,590.25 and a currency of 0.0134 both show what moves.
export function decimals(value) {
  const size = Math.abs(value);
  return size >= 1 ? 2 : size >= 0.01 ? 4 : 6;
}

export function price(value) {
  const places = decimals(value);
  if (!prices.has(places)) {
    prices.set(places, new Intl.NumberFormat("en", { minimumFractionDigits: places, maximumFractionDigits: places }));
  }
  return prices.get(places).format(value);
}

export function seconds(value) {
  if (value < 1) {
    return `${Math.round(Math.max(0, value) * 1000)} ms`;
  }
  if (value < 10) {
    return `${value.toFixed(1)} s`;
  }
  return value < 120 ? `${Math.round(value)} s` : value < 7200 ? `${Math.round(value / 60)} min` : `${Math.round(value / 3600)} h`;
}

export const clock = (milliseconds) => new Date(milliseconds).toISOString().slice(11, 19);
