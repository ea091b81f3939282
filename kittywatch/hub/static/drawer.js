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

async function load(path) {
  const found = await part(path, "drawer").catch((error) => error);
  if (found.status === 303) return location.reload();
  failed = typeof found !== "string";
  const template = document.createElement("template");
  template.innerHTML = failed ? "<p>This work package cannot be shown right now.</p>" : found;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "close";
  close.setAttribute("aria-label", "Close");
  close.textContent = "✕";
  close.addEventListener("click", () => drawer.close());
  const hadFocus = drawer.contains(document.activeElement);
  drawer.replaceChildren(close, template.content);
  if (hadFocus) close.focus();
  showTimes(drawer);
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
  if (drawer.open && paths.includes(shown)) {
    const unfolded = drawer.querySelector("details[open]");
    if (!unfolded) load(shown);
  }
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
