// Times in words, kept up to date. The exact time stays in the title.

const UNITS = [
  ["y", 31557600],
  ["mo", 2629800],
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
];

function inWords(seconds) {
  for (const [unit, length] of UNITS) {
    if (seconds >= length) return `${Math.floor(seconds / length)}\u00a0${unit}`;
  }
  return "just now";
}

export function showTimes(root = document) {
  const now = Date.now();
  for (const time of root.querySelectorAll("time.ago")) {
    const then = Date.parse(time.dateTime);
    if (Number.isNaN(then)) continue;
    const words = inWords((now - then) / 1000);
    if (!time.title) time.title = time.dateTime;
    if (time.textContent !== words) time.textContent = words;
  }
}

export function keepTimes() {
  showTimes();
  setInterval(showTimes, 30000);
}
