// The keyboard: / searches; arrows go from card to card and lane to lane, and along the tree; Enter opens (a link
// does); Escape closes. The tree is one stop of the Tab key, however many features it has.

function neighbours(card, step) {
  let next = card;
  do next = step > 0 ? next.nextElementSibling : next.previousElementSibling;
  while (next && !next.querySelector(".open, .more"));
  return next?.querySelector(".open, .more");
}

function beside(card, step) {
  const lanes = [...document.querySelectorAll(".lane")];
  const from = lanes.indexOf(card.closest(".lane"));
  const top = card.getBoundingClientRect().top;
  for (let n = from + step; n >= 0 && n < lanes.length; n += step) {
    const links = [...lanes[n].querySelectorAll(".card .open")];
    if (!links.length) continue;
    const distance = (link) => Math.abs(link.closest(".card").getBoundingClientRect().top - top);
    return links.reduce((best, link) => (distance(link) < distance(best) ? link : best));
  }
  return null;
}

const treeLinks = () => [...document.querySelectorAll("#tree a")];

// Which link of the tree the Tab key comes to: the one that has the focus, else the filter's, else the first.
export function roveTree(wanted = document.activeElement) {
  const links = treeLinks();
  const stop = links.includes(wanted) ? wanted : (links.find((link) => link.hasAttribute("aria-current")) ?? links[0]);
  for (const link of links) link.tabIndex = link === stop ? 0 : -1;
}

function alongTree(link, key) {
  const links = treeLinks();
  const at = links.indexOf(link);
  const next = { ArrowDown: links[at + 1], ArrowUp: links[at - 1], Home: links[0], End: links.at(-1) }[key];
  if (!next) return false;
  roveTree(next);
  next.focus();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const typing = event.target.closest?.("input, select, textarea, dialog");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    document.querySelector("#filters [name=text]").select();
    return;
  }
  const link = event.target.closest?.("#tree a");
  if (link && alongTree(link, event.key)) event.preventDefault();
  const card = event.target.closest?.(".lanes .card, .lanes .more-item");
  if (!card) return;
  const target = {
    ArrowDown: () => neighbours(card, 1),
    ArrowUp: () => neighbours(card, -1),
    ArrowRight: () => beside(card, 1),
    ArrowLeft: () => beside(card, -1),
  }[event.key]?.();
  if (target) {
    event.preventDefault();
    target.focus();
  }
});
