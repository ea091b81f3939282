// The board: what the server rendered, kept in step with what happens.

import { drawerFromAddress, refreshDrawer } from "./drawer.js";
import "./keys.js";
import { applyCards, applyCounts, watchMore } from "./lanes.js";
import { Live } from "./live.js";
import { keepTimes, showTimes } from "./times.js";

const WORDS = { live: "Live", reconnecting: "Reconnecting", stale: "Stale" };
const SAID_AT_MOST = 3;
const ACTIVITY_AT_MOST = 60;

const badge = document.getElementById("badge");
const announcer = document.getElementById("announcer");
const filters = document.getElementById("filters");
const board = () => document.getElementById("board");

function liveAddress() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const query = new URLSearchParams(board().dataset.query);
  query.set("after", board().dataset.position);
  return `${scheme}://${location.host}/live?${query}`;
}

function showState(state) {
  if (badge.dataset.state === state) return;
  badge.dataset.state = state;
  badge.querySelector(".word").textContent = WORDS[state];
}

function showActivity(html) {
  const list = document.getElementById("activity");
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const entry of template.content.querySelectorAll(".entry")) {
    if (list.querySelector(`[data-position="${entry.dataset.position}"]`)) entry.remove();
    else entry.classList.add("arrived");
  }
  showTimes(template.content);
  list.prepend(template.content);
  for (const old of [...list.children].slice(ACTIVITY_AT_MOST)) old.remove();
}

function onMessage(message) {
  if (message.type === "reload") return show(new URLSearchParams(board().dataset.query), { push: false });
  if (message.type !== "changes") return;
  board().dataset.position = Math.max(message.position, Number(board().dataset.position));
  applyCards(message.cards, message.gone);
  applyCounts(message.counts);
  showActivity(message.activity);
  for (const position of message.withdrawn) {
    document.querySelector(`#activity [data-position="${position}"]`)?.remove();
  }
  const tree = document.getElementById("tree");
  if (!tree.contains(document.activeElement)) tree.innerHTML = message.tree;
  if (message.cards.length) {
    const said = message.cards.slice(-SAID_AT_MOST).map((card) => card.said);
    const more = message.cards.length - said.length;
    announcer.textContent = said.join(". ") + (more > 0 ? `. And ${more} more.` : "");
    refreshDrawer(
      message.cards.map((card) => document.querySelector(`#${CSS.escape(card.id)} .open`)?.getAttribute("href")),
    );
  }
}

let asked = 0;

// Show the board with another filter, without leaving the page.
async function show(query, { push = true } = {}) {
  for (const [name, value] of [...query]) if (!value) query.delete(name);
  query.delete("card");
  const turn = ++asked;
  const address = `/?${query}`;
  const response = await fetch(address, { headers: { "X-Fragment": "board" } }).catch(() => null);
  // Without an answer what is shown stays; the badge says how things stand.
  if (turn !== asked || !response) return;
  if (!response.ok || response.redirected) return location.assign(address);
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  if (turn !== asked) return;
  board().replaceWith(template.content);
  if (push) history.pushState({}, "", query.size ? address : "/");
  for (const name of ["project", "feature", "text", "agent"]) {
    const field = filters.elements[name];
    if (field !== document.activeElement) field.value = query.get(name) ?? "";
  }
  filters.elements.blocked.checked = Boolean(query.get("blocked"));
  for (const link of document.querySelectorAll("#tree [data-filter]")) {
    const wanted = new URLSearchParams(link.dataset.filter);
    const same = ["project", "feature"].every((name) => (wanted.get(name) ?? "") === (query.get(name) ?? ""));
    link.toggleAttribute("aria-current", same);
    if (same) link.setAttribute("aria-current", "true");
  }
  showTimes(board());
  watchMore();
  live.restart();
}

let typing = 0;
filters.addEventListener("input", (event) => {
  clearTimeout(typing);
  const wait = event.target.type === "search" ? 200 : 0;
  typing = setTimeout(() => show(new URLSearchParams(new FormData(filters))), wait);
});
filters.addEventListener("submit", (event) => {
  event.preventDefault();
  show(new URLSearchParams(new FormData(filters)));
});
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-filter]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  show(new URLSearchParams(link.dataset.filter));
});
window.addEventListener("popstate", () => {
  const query = new URLSearchParams(location.search);
  query.delete("card");
  if (query.toString() !== new URLSearchParams(board().dataset.query).toString()) show(query, { push: false });
  drawerFromAddress();
});

const narrow = window.matchMedia("(max-width: 900px)");
const fold = document.getElementById("side-fold");
const foldSide = () => fold.toggleAttribute("open", !narrow.matches);
narrow.addEventListener("change", foldSide);
foldSide();

keepTimes();
watchMore();
drawerFromAddress();
const live = new Live({ address: liveAddress, onMessage, onState: showState });
