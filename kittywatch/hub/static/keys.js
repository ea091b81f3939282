// The keyboard: / searches; arrows go from card to card and lane to lane; Enter opens (a link does); Escape closes.

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

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const typing = event.target.closest?.("input, select, textarea, dialog");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    document.querySelector("#filters [name=text]").select();
    return;
  }
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
