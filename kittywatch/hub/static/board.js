// The board: what the server rendered, kept in step with what happens.

import { drawerFromAddress, refreshDrawer, retryDrawer } from "./drawer.js";
import { mayPass, part, pause, wake } from "./fetching.js";
import { roveTree } from "./keys.js";
import { applyCards, applyCounts, watchMore } from "./lanes.js";
import { Live } from "./live.js";
import { keepTimes, showTimes } from "./times.js";
import { applyAgents, applyTree, markCurrent } from "./tree.js";

const WORDS = { live: "Live", reconnecting: "Reconnecting", stale: "Stale", ended: "Signed out" };
const SAID_AT_MOST = 3;
const ACTIVITY_AT_MOST = 60;
const RELOAD_SPREAD = 1000; // not everybody at the same moment

const badge = document.getElementById("badge");
const announcer = document.getElementById("announcer");
const filters = document.getElementById("filters");
const pending = document.getElementById("pending");
const board = () => document.getElementById("board");
const shownQuery = () => new URLSearchParams(board().dataset.query);

function liveAddress() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const query = shownQuery();
  query.set("after", board().dataset.position);
  return `${scheme}://${location.host}/live?${query}`;
}

function showState(state) {
  if (badge.dataset.state === state) return;
  badge.dataset.state = state;
  badge.querySelector(".word").textContent = WORDS[state];
  const again = badge.querySelector(".again");
  again.hidden = state !== "ended";
  again.href = `/sign-in?${new URLSearchParams({ next: location.pathname + location.search })}`;
  if (state !== "live") return;
  wake();
  watchMore();
  retryDrawer();
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

// Whether the page has other columns, or another choice of sources, than what it hears of: a lane more, say.
function isLaidOutAnew({ counts, sources }) {
  const shown = [...document.querySelectorAll(".lanes .lane")].map((lane) => lane.dataset.lane);
  return Object.keys(counts).join() !== shown.join() || sources.join(" ") !== board().dataset.sources;
}

function onMessage(message) {
  if (message.type === "reload" || (message.type === "changes" && isLaidOutAnew(message))) {
    const turn = asked;
    const reload = () => turn === asked && show(shownQuery(), { push: false, name: "whole" });
    setTimeout(reload, Math.random() * RELOAD_SPREAD);
    return;
  }
  if (message.type !== "changes") return;
  board().dataset.position = Math.max(message.position, Number(board().dataset.position));
  applyCards(message.cards, message.gone);
  applyCounts(message.counts);
  showActivity(message.activity);
  for (const position of message.withdrawn) {
    document.querySelector(`#activity [data-position="${position}"]`)?.remove();
  }
  applyTree(message.tree);
  applyAgents(message.agents);
  roveTree();
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

// The parts that a filter changes, as often asked for as it takes; null where another filter was asked for meanwhile
// or where asking is no use.
async function partsOf(address, name, turn) {
  for (let tries = 0; ; tries += 1) {
    const found = await part(address, name).catch((error) => error);
    if (turn !== asked) return null;
    pending.hidden = true;
    if (typeof found === "string") return found;
    if (found.status === 401) {
      live.end();
      return null;
    }
    if (!mayPass(found.status)) {
      location.assign(address);
      return null;
    }
    // What is shown stays until the hub answers; then the filter comes by itself.
    pending.hidden = false;
    await pause(tries);
    if (turn !== asked) return null;
  }
}

// Show the board with another filter, or anew, without leaving the page; `name` says which parts of it.
async function show(query, { push = true, name = "board" } = {}) {
  for (const [name, value] of [...query]) if (!value) query.delete(name);
  query.delete("card");
  const address = query.size ? `/?${query}` : "/";
  const html = await partsOf(address, name, ++asked);
  if (html === null) return;
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const id of ["board", "news"]) {
    document.getElementById(id).replaceWith(template.content.querySelector(`#${id}`));
    showTimes(document.getElementById(id));
  }
  for (const id of ["tree", "agents"]) {
    const fresh = template.content.querySelector(`#${id}`);
    if (fresh) document.getElementById(id).replaceChildren(...fresh.childNodes);
  }
  if (push) history.pushState({}, "", address);
  document.title = `${board().dataset.title} · kittywatch`;
  showFilter(query);
  watchMore();
  live.restart();
}

function showFilter(query) {
  for (const name of ["project", "feature", "source", "text", "agent"]) {
    const field = filters.elements[name];
    if (field !== document.activeElement) field.value = query.get(name) ?? "";
  }
  filters.elements.blocked.checked = Boolean(query.get("blocked"));
  markCurrent(query);
  roveTree();
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
  if (query.toString() !== shownQuery().toString()) show(query, { push: false });
  drawerFromAddress();
});

const narrow = window.matchMedia("(max-width: 900px)");
const fold = document.getElementById("side-fold");
const foldSide = () => fold.toggleAttribute("open", !narrow.matches && !document.querySelector(".lanes.many"));
narrow.addEventListener("change", foldSide);
foldSide();

keepTimes();
watchMore();
roveTree();
drawerFromAddress();
const live = new Live({ address: liveAddress, onMessage, onState: showState });
