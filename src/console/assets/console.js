// Improves pages that work without it: refresh in place, copying, keys, theme, times in the zone of the browser.
// No text ever becomes markup here: the policy of the pages has Trusted Types without a policy, so a refresh is a
// document that the browser parsed, and its nodes are moved into this page.

const root = document.documentElement;
const find = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const store = {
  // Storage may be forbidden, and reading it then throws.
  get: (key) => { try { return localStorage.getItem(key); } catch { return null; } },
  set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* the default holds */ } },
};

// ---- Morph: changes only what differs, so that focus, selection and open details survive.

// What a person changed stays: the server does not know it.
const kept = (element, name) =>
  (name === "open" && /^(DETAILS|DIALOG)$/.test(element.tagName)) ||
  (name === "hidden" && element.id === "stale") ||
  name === "data-done" || name === "data-cursor" || (name === "aria-current" && "cursor" in element.dataset);

function morphAttributes(from, to) {
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) !== value && !kept(from, name)) from.setAttribute(name, value);
  }
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !kept(from, name)) from.removeAttribute(name);
  }
}

const sameKind = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");

function morph(from, to) {
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    return;
  }
  morphAttributes(from, to);
  if (from === document.activeElement && /^(INPUT|TEXTAREA|SELECT)$/.test(from.tagName)) return;
  morphChildren(from, to);
}

// Elements with an id are found wherever they were; the others are compared in their order. What is left is removed.
function morphChildren(from, to) {
  const byId = new Map();
  for (const child of from.children) if (child.id) byId.set(child.id, child);
  let current = from.firstChild;
  for (const next of [...to.childNodes]) {
    const keyed = next.id ? byId.get(next.id) : undefined;
    const match = keyed ?? current;
    if (!match || !sameKind(match, next)) {
      from.insertBefore(document.importNode(next, true), current);
      continue;
    }
    if (match === current) current = current.nextSibling;
    else from.insertBefore(match, current);
    morph(match, next);
  }
  while (current) {
    const after = current.nextSibling;
    current.remove();
    current = after;
  }
}

// ---- Refresh

const refresh = {
  interval: Number(root.dataset.refresh || 0) * 1000,
  paused: false, running: false, missed: 0, cost: 0, timer: 0, request: null, lastGood: Date.now(),
};

const defaultIndex = (select) => Math.max(0, [...select.options].findIndex((option) => option.defaultSelected));

const isDirty = (form) => [...form.elements].some((field) =>
  field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked
    : field.tagName === "SELECT" ? field.selectedIndex !== defaultIndex(field)
      : "defaultValue" in field && field.type !== "hidden" && field.value !== field.defaultValue);

// A page that moves under the hand is worse than one that is five seconds older.
const isBusy = () =>
  !(getSelection()?.isCollapsed ?? true) || Boolean(find("dialog[open], .menu[open]")) ||
  all("main form").some(isDirty) || "busy" in root.dataset;

function load(address) {
  return new Promise((resolve, reject) => {
    // fetch has no way to a document but by a string.
    const request = new XMLHttpRequest();
    refresh.request = request;
    request.open("GET", address);
    request.responseType = "document";
    // Otherwise an answer that is not HTML, of a proxy for example, becomes a page of errors with inline styles.
    request.overrideMimeType("text/html");
    request.timeout = 15000;
    request.setRequestHeader("Hookfast-Part", "refresh");
    request.onload = () => {
      const page = request.responseXML;
      if (request.status === 200 && page && find("#main", page)) resolve({ page, url: request.responseURL });
      else reject(new Error(`status ${request.status}`));
    };
    request.onerror = request.ontimeout = () => reject(new Error("no answer"));
    request.send();
  });
}

async function tick() {
  if (!refresh.interval || document.hidden || refresh.paused || refresh.running) return;
  if (!isBusy()) {
    refresh.running = true;
    const began = performance.now();
    // An answer that does not come is as bad as one that fails.
    const late = setTimeout(() => stale("no answer"), 6000);
    try {
      const { page, url } = await load(location.href);
      // A session that ended answers with the page for signing in, which is at another address.
      if (new URL(url).pathname !== location.pathname) throw new Error("signed out");
      refresh.cost = performance.now() - began;
      // Something may have begun while the answer was on its way.
      if (!isBusy() && !refresh.paused) apply(page);
      refresh.missed = 0;
      refresh.lastGood = Date.now();
      fresh();
    } catch (error) {
      refresh.missed += 1;
      if (refresh.missed >= 2 || Date.now() - refresh.lastGood > 2 * refresh.interval) stale(error.message);
    }
    clearTimeout(late);
    refresh.running = false;
  }
  schedule();
}

function schedule() {
  clearTimeout(refresh.timer);
  // The first answer that is missing is asked for again soon: what an old page shows has to be marked.
  const delay = refresh.missed === 1 ? 2000 : Math.max(refresh.interval, 20 * refresh.cost);
  if (refresh.interval) refresh.timer = setTimeout(tick, delay);
}

function apply(page) {
  if (document.title !== page.title) document.title = page.title;
  const main = find("#main"), next = find("#main", page);
  // The server decides: a page about something that has ended stops.
  refresh.interval = Number(page.documentElement.dataset.refresh || 0) * 1000;
  decorate(page);
  morphAttributes(main, next);
  morphChildren(main, next);
  for (const element of all("[data-live][id]")) {
    const other = page.getElementById(element.id);
    if (other && !main.contains(element)) morph(element, other);
  }
}

function stale(reason) {
  const box = find("#stale");
  const since = find("#as-of time")?.textContent ?? new Date(refresh.lastGood).toISOString().slice(11, 19) + " UTC";
  const text = reason === "signed out"
    ? `You are signed out. This page is as of ${since}. Load it again to sign in.`
    : `This page is as of ${since}. The console has not answered since (${reason}). Webhooks that were answered 200 are stored.`;
  root.dataset.stale = "";
  if (!box) return;
  box.hidden = false;
  if (box.firstElementChild.textContent !== text) box.firstElementChild.textContent = text;
}

function fresh() {
  if (!("stale" in root.dataset)) return;
  delete root.dataset.stale;
  const box = find("#stale");
  if (box) box.hidden = true;
}

function pause() {
  refresh.paused = !refresh.paused;
  const button = find('[data-do="pause"]');
  button?.setAttribute("aria-pressed", String(refresh.paused));
  if (!refresh.paused) tick();
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(refresh.timer);
  if (!document.hidden) tick();
});

// ---- Copying

async function copy(text, button) {
  let done = false;
  try {
    // Absent on plain http beyond loopback.
    await navigator.clipboard.writeText(text);
    done = true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.readOnly = true;
    area.className = "sr";
    (button?.closest("dialog") ?? document.body).append(area);
    area.select();
    try { done = document.execCommand("copy"); } catch { done = false; }
    area.remove();
    button?.focus({ preventScroll: true });
  }
  // If neither is allowed, the text beside the button is selected, and the person copies it.
  if (!done && button?.previousElementSibling) getSelection().selectAllChildren(button.previousElementSibling);
  say(done ? "Copied" : "Press Ctrl+C to copy");
  if (!button) return;
  button.dataset.done = done ? "yes" : "no";
  setTimeout(() => { delete button.dataset.done; }, 1600);
}

// Read out by screen readers, and never by a refresh.
function say(text) {
  const region = find("#said") ?? document.body.appendChild(Object.assign(document.createElement("p"), { id: "said", className: "sr" }));
  region.setAttribute("role", "status");
  region.textContent = "";
  requestAnimationFrame(() => { region.textContent = text; });
}

// ---- Theme and times

function theme() {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `hookfast-theme=${root.dataset.theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}

const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

// Also runs on a page that a refresh loaded, before it is compared with this one.
function decorate(page) {
  for (const time of all("time[datetime]", page)) {
    const at = new Date(time.dateTime);
    if (time.title || Number.isNaN(at.valueOf())) continue;
    time.title = `${local.format(at)} ${zone}`;
  }
  for (const button of all("[data-copy][hidden], [data-copy-link][hidden], [data-do][hidden]", page)) {
    if (button.dataset.do !== "pause" || refresh.interval) button.hidden = false;
  }
}

// ---- Keys

const pages = { n: "/", e: "/events", h: "/handlers", d: "/dead", s: "/sources", o: "/orders", a: "/alerts" };
let prefix = 0;

// Not the rows of a closed fold.
const rows = () => all("main tbody tr").filter((row) => find("a[href]", row) && (row.checkVisibility?.() ?? true));

function step(by) {
  const list = rows();
  if (!list.length) return;
  const at = list.findIndex((row) => "cursor" in row.dataset);
  const next = list[Math.min(Math.max(at + by, 0), list.length - 1)];
  if (at >= 0) { list[at].removeAttribute("aria-current"); delete list[at].dataset.cursor; }
  next.dataset.cursor = "";
  next.setAttribute("aria-current", "true");
  find("a[href]", next).focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function help() {
  const dialog = find("#help");
  if (dialog && !dialog.open) dialog.showModal();
}

const keys = {
  "/": () => (find("#find")?.offsetParent ? find("#find").select() : location.assign("/find")),
  "?": help, t: theme, ".": pause, j: () => step(1), k: () => step(-1),
  y: () => copy(location.href),
  g: () => { prefix = Date.now(); },
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable], dialog")) {
    if (event.key === "Escape" && event.target.id === "find") event.target.blur();
    return;
  }
  if (event.key === "Escape") return void all(".menu[open], #more[open]").forEach((menu) => { menu.open = false; find("summary", menu).focus(); });
  if (store.get("hookfast-shortcuts") === "off") return;
  const go = Date.now() - prefix < 1500 && pages[event.key];
  prefix = 0;
  if (go) { event.preventDefault(); location.assign(go); return; }
  const act = Object.hasOwn(keys, event.key) && keys[event.key];
  if (act) { event.preventDefault(); act(); }
});

// ---- Events of the page: one listener each, since a refresh replaces elements

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-copy], [data-copy-link], [data-do]");
  if (button) {
    if ("copy" in button.dataset) copy(button.dataset.copy, button);
    else if ("copyLink" in button.dataset) copy(location.href, button);
    else ({ pause, theme, help })[button.dataset.do]?.();
  }
  // A menu closes when something else is chosen.
  for (const menu of all(".menu[open], #more[open]")) if (!menu.contains(event.target)) menu.open = false;
});

// A download also begins like a navigation, and never ends like one.
function busy() {
  root.dataset.busy = "";
  setTimeout(() => { delete root.dataset.busy; }, 15000);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  const method = event.submitter?.getAttribute("formmethod") ?? form.getAttribute("method") ?? "get";
  if (event.defaultPrevented || method === "dialog") return;
  // A second click would post twice. The button is not disabled, since its value would not be sent.
  if (form.dataset.sent) return void event.preventDefault();
  if (method === "post") form.dataset.sent = "yes";
  event.submitter?.setAttribute("aria-busy", "true");
  busy();
});

addEventListener("beforeunload", () => { busy(); refresh.request?.abort(); });
// Back to a page that the browser kept as it was.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  delete root.dataset.busy;
  for (const form of all("form[data-sent]")) delete form.dataset.sent;
  for (const button of all("[aria-busy]")) button.removeAttribute("aria-busy");
  tick();
});

const shortcuts = find("#shortcuts-on");
if (shortcuts) {
  shortcuts.checked = store.get("hookfast-shortcuts") !== "off";
  shortcuts.addEventListener("change", () => store.set("hookfast-shortcuts", shortcuts.checked ? "on" : "off"));
}

decorate(document);
schedule();
