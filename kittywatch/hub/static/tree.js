// The tree of projects and features: rows of what changed, put where they belong, and the filter's agents.

const MOST_FEATURES = 200; // of a project, as on the server

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
}

// Puts `fresh` in place of `old`, or among its neighbours; `isBefore(other)` says of a neighbour that it comes first.
function put(list, old, fresh, isBefore) {
  const hadFocus = old?.contains(document.activeElement);
  if (old) old.replaceWith(fresh);
  else list.insertBefore(fresh, [...list.children].find((other) => !isBefore(other)) ?? null);
  if (hadFocus) (fresh.matches("a") ? fresh : fresh.querySelector("a")).focus();
}

function applyProject({ id, order, html, features }) {
  let item = document.getElementById(id);
  const fresh = parsed(html);
  // Of a project that is there the link alone: a list that moves in the page loses the focus.
  if (item) {
    put(item, item.querySelector(".project"), fresh.querySelector(".project"));
  } else {
    item = fresh;
    const isBefore = (other) => !other.dataset.order || other.dataset.order < order;
    put(document.querySelector("#tree .tree"), null, item, isBefore);
  }
  const list = item.querySelector("ul");
  for (const { id, place, html } of features) {
    put(list, document.getElementById(id), parsed(html), (other) => other.dataset.place > place);
  }
  for (const last of [...list.children].slice(MOST_FEATURES)) last.remove();
}

export function applyTree({ projects, gone }) {
  for (const project of projects) applyProject(project);
  for (const id of gone) document.getElementById(id)?.remove();
  for (const list of document.querySelectorAll("#tree .of-team ul")) {
    if (!list.children.length) list.closest(".of-team").remove();
  }
}

export function applyAgents(names) {
  const select = document.querySelector("#filters [name=agent]");
  for (const name of names) {
    const options = [...select.options].slice(1);
    if (options.some((option) => option.value === name)) continue;
    select.add(new Option(name, name), options.find((option) => option.value > name) ?? null);
  }
}

// Marks the row that the filter is of.
export function markCurrent(query) {
  for (const link of document.querySelectorAll("#tree [data-filter]")) {
    const wanted = new URLSearchParams(link.dataset.filter);
    const same = ["project", "feature"].every((name) => (wanted.get(name) ?? "") === (query.get(name) ?? ""));
    if (same) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}
