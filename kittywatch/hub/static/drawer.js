// The drawer: a work package's own page, shown beside the board. The address names it, so it can be linked to.

import { part } from "./fetching.js";
import { showTimes } from "./times.js";

const drawer = document.getElementById("drawer");
let opener = null;
let shown = null;
let failed = false;

function address(card) {
  const url = new URL(location.href);
  if (card) url.searchParams.set("card", card);
  else url.searchParams.delete("card");
  return url;
}

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  showTimes(template.content);
  return template.content;
}

async function load(path) {
  const found = await part(path, "drawer").catch((error) => error);
  if (found.status === 303) return location.reload();
  failed = typeof found !== "string";
  const content = parsed(failed ? "<p>This work package cannot be shown right now.</p>" : found);
  const close = document.createElement("button");
  close.type = "button";
  close.className = "close";
  close.setAttribute("aria-label", "Close");
  close.textContent = "✕";
  close.addEventListener("click", () => drawer.close());
  const hadFocus = drawer.contains(document.activeElement);
  drawer.replaceChildren(close, content);
  if (hadFocus) close.focus();
}

// Puts what is new where it belongs; what was unfolded or loaded further down stays.
async function update(path) {
  const found = await part(path, "drawer").catch(() => null);
  if (found === null || shown !== path) return;
  const fresh = parsed(found);
  const list = drawer.querySelector(".timeline");
  if (!list) return;
  drawer.querySelector(".package > header").replaceWith(fresh.querySelector(".package > header"));
  let next = list.firstElementChild;
  const there = new Set();
  for (const moment of [...fresh.querySelectorAll(".moment")]) {
    there.add(moment.dataset.event);
    const known = list.querySelector(`[data-event="${CSS.escape(moment.dataset.event)}"]`);
    if (known) next = known.nextElementSibling;
    else list.insertBefore(moment, next);
  }
  // What the hub shows no more goes, as far down as its page of the timeline reaches.
  for (const moment of [...list.querySelectorAll(".moment")]) {
    if (!there.has(moment.dataset.event)) moment.remove();
    there.delete(moment.dataset.event);
    if (!there.size) break;
  }
}

async function loadOlder(link) {
  const found = await part(link.href, "timeline").catch(() => null);
  if (found === null) {
    link.textContent = "This didn’t load. Try again";
    return;
  }
  const content = parsed(found);
  const first = content.querySelector("summary");
  link.closest(".older").replaceWith(content);
  first?.focus({ preventScroll: true });
}

export async function openDrawer(path, { push = true } = {}) {
  opener = document.activeElement?.closest?.(".card")?.id ?? null;
  shown = path;
  await load(path);
  if (shown !== path) return;
  if (!drawer.open) drawer.showModal();
  drawer.scrollTop = 0;
  if (push) history.pushState({}, "", address(path));
}

// Something happened to work packages; if one of them is open, show it.
export function refreshDrawer(paths) {
  if (drawer.open && paths.includes(shown)) update(shown);
}

// The hub is there again: show what couldn't be shown.
export function retryDrawer() {
  if (drawer.open && failed) load(shown);
}

drawer.addEventListener("close", () => {
  shown = null;
  history.replaceState({}, "", address(null));
  if (opener) document.querySelector(`#${CSS.escape(opener)} .open`)?.focus();
});
drawer.addEventListener("click", (event) => {
  if (event.target === drawer) drawer.close();
  const link = event.target.closest?.(".timeline .more");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  loadOlder(link);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest?.(".card .open, [data-drawer]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  openDrawer(link.getAttribute("href"));
});

export function drawerFromAddress() {
  const card = new URLSearchParams(location.search).get("card");
  // Only a path of ours: the address may come from anywhere.
  if (card && /^\/wp\/[^?#]*$/.test(card)) openDrawer(card, { push: false });
  else if (drawer.open) drawer.close();
}
