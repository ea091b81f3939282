// Cards in their lanes: putting a changed card where it belongs, moving what is in between smoothly, and paging.

import { part } from "./fetching.js";
import { showTimes } from "./times.js";

const still = window.matchMedia("(prefers-reduced-motion: reduce)");

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

// Where a card goes: latest first, of the same time by its place.
function nextOf(list, order, place) {
  for (const card of list.children) {
    if (card.classList.contains("more-item")) return card;
    const since = Number(card.dataset.order);
    if (since < order || (since === order && card.dataset.place > place)) return card;
  }
  return null;
}

function animated(change) {
  if (still.matches) return change();
  const before = new Map();
  for (const card of document.querySelectorAll(".lanes .card")) before.set(card.id, card.getBoundingClientRect());
  change();
  for (const card of document.querySelectorAll(".lanes .card")) {
    const from = before.get(card.id);
    const to = card.getBoundingClientRect();
    if (!from || (from.left === to.left && from.top === to.top)) continue;
    card.animate(
      [{ transform: `translate(${from.left - to.left}px, ${from.top - to.top}px)` }, { transform: "none" }],
      { duration: 260, easing: "cubic-bezier(.2,.8,.2,1)" },
    );
  }
}

export function applyCards(cards, gone) {
  const focused = document.activeElement?.closest?.(".card")?.id;
  animated(() => {
    for (const id of gone) document.getElementById(id)?.remove();
    for (const { id, lane, order, place, html } of cards) {
      const old = document.getElementById(id);
      const list = document.querySelector(`#lane-${lane} .cards`);
      const fresh = parsed(html).firstElementChild;
      const moved = !old || old.dataset.lane !== lane;
      old?.remove();
      const next = nextOf(list, order, place);
      // Past the last card of a page the card comes with its page.
      if (next?.classList.contains("more-item") && !old && list.children.length > 1) continue;
      list.insertBefore(fresh, next);
      showTimes(fresh);
      if (moved) fresh.classList.add("arrived");
    }
  });
  if (focused) document.querySelector(`#${CSS.escape(focused)} .open`)?.focus({ preventScroll: true });
}

export function applyCounts(counts) {
  for (const [lane, count] of Object.entries(counts)) {
    for (const place of document.querySelectorAll(`[data-count="${lane}"]`)) {
      place.textContent = count;
      if (place.classList.contains("count")) place.setAttribute("aria-label", `${count} work packages`);
    }
  }
}

async function loadMore(link) {
  if (link.dataset.loading) return;
  link.dataset.loading = "1";
  let html;
  try {
    html = await part(link.href, "cards");
  } catch {
    // The link stays; it is tried again by hand, or when the hub is there again (watchMore).
    delete link.dataset.loading;
    link.textContent = "This didn’t load. Try again";
    return;
  }
  const page = parsed(html);
  for (const card of page.querySelectorAll(".card")) if (document.getElementById(card.id)) card.remove();
  const hadFocus = document.activeElement === link;
  const first = page.querySelector(".open");
  showTimes(page);
  link.closest(".more-item").replaceWith(page);
  if (hadFocus) first?.focus();
  watchMore();
}

const nearing = new IntersectionObserver(
  (seen) => {
    for (const { isIntersecting, target } of seen) if (isIntersecting) loadMore(target);
  },
  { rootMargin: "300px" },
);

export function watchMore() {
  nearing.disconnect();
  for (const link of document.querySelectorAll(".lanes .more")) nearing.observe(link);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.(".lanes .more");
  if (!link) return;
  event.preventDefault();
  loadMore(link);
});
