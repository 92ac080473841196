// Sixty hostile texts in every field that a sender controls. A page has the same elements as with harmless texts, with the
// policy and without it: escaping holds by itself, and the policy has nothing to report.

import assert from "node:assert/strict";
import { open } from "./browser.mjs";
import { parallel } from "./parallel.mjs";
import { PAYLOADS } from "./payloads.mjs";
import { withoutPolicy } from "./proxy.mjs";

// Distinct words, because pages group what differs only in its numbers.
const letters = (n) => String.fromCharCode(97 + Math.floor(n / 26), 97 + n % 26);
const HARMLESS = PAYLOADS.map((_, n) => `harmless-${letters(n)}`);

// The elements of a page with the names of their attributes, without the marks for deceptive characters.
const structure = (isList) => {
  const lines = [];
  const walk = (element, depth) => {
    // The strip of the last hour has no text of senders, and moves every minute.
    // Nor have the offsets of a body in hex, of which a longer text has more.
    if (element.matches("abbr.mark-char, br, .strip, .offset")) return;
    // Those of lists are compared at one time; those of the others change while the test runs.
    if (!isList && element.matches("#exceptions, .badge, #icon")) return;
    const attributes = [...element.attributes].map(({ name, value }) => {
      if (name.startsWith("on")) return `HANDLER ${name}`;
      if (["class", "id", "name", "type", "style"].includes(name)) return `${name}=${value.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "ID")}`;
      if (!/^(href|src|action|formaction|xlink:href|data)$/.test(name)) return name;
      const address = new URL(value, location.href);
      return address.origin === location.origin ? name : `FOREIGN ${name}=${address.origin}`;
    });
    lines.push(`${" ".repeat(depth)}${element.localName} ${attributes.sort().join(" ")}`);
    for (const child of element.children) walk(child, depth + 1);
  };
  walk(document.documentElement, 0);
  return lines;
};

const firstDifference = (a, b) => {
  const at = a.findIndex((line, n) => line !== b[n]);
  if (at < 0 && a.length === b.length) return "";
  const n = at < 0 ? a.length : at;
  return `line ${n}: ${a[n] ?? "nothing"} | ${b[n] ?? "nothing"}`;
};

export default function of({ test, site, postgres, browser, full }) {
  // The pages that show text number n, and what an address carries, which is shown too. A name says which pages have the
  // same elements: every third body is no JSON, every second order failed.
  const each = (n, id, texts, quarantined, hasPolicy) => {
    const event = `${id.slice(0, 13)}-7001-9000-${n.toString(16).padStart(12, "0")}`;
    const text = encodeURIComponent(texts[n - 1]);
    const every = [`/events/${event}`, `/events/${event}?body=headers`, `/orders/airalo/hostile-${n}`,
      `/orders/airalo?description=${encodeURIComponent(`late ${n} ${texts[n - 1]}`)}`, `/quarantine/${quarantined + n}`, `/find?q=${text}`];
    // An error is a pattern, and a payload a path. All of these match nothing, so their pages have the same elements.
    const some = [`/events/${event}?body=raw`, `/events/${event}?body=hex`, `/act/discard?delivery_id=${5000000 + n}`,
      `/act/replay?event_id=${event}&handler=crm`, `/orders?q=${text}`, `/dead?error=never%20${text}`, `/dead?type=${text}`, `/events?type=${text}`,
      `/events?payload=%24.(${text}`, `/login?ticket=${text}&next=${text}`, `/act/retry_all?error=never%20${text}`, `/act/erase_all?term=${text}`,
      `/act/pause_handler?handler=${text}`, `/act/replay_all?payload=${text}&type=${text}`];
    const chosen = [...every, ...some].map((address, at) => ({ name: `${at} of ${n % 6}`, address }));
    if (full || (n <= 2 && !hasPolicy)) return chosen;
    // In the short form, a text is in the lists, on the page of its event, and on one of the others.
    return n <= 6 ? chosen.slice(0, every.length) : [chosen[0], chosen[1 + n % (every.length - 1)]];
  };
  // Lists with many of them.
  const lists = ["/", "/events?source=partner", "/events?type=partner.hostile", "/find?q=hostile", "/orders", "/orders?state=all",
    "/orders?state=low_data", "/orders?state=credit", "/dead?handler=shop", "/dead?type=partner.hostile", "/act/retry_all?type=partner.hostile",
    "/alerts", "/alerts?state=reported", "/handlers", "/handlers/billing", "/handlers/shop", "/handlers/crm", "/handlers/analytics",
    "/sources/partner", "/access", "/act/discard_quarantined?source=partner", "/act/resume_handler?handler=billing"];
  // Opens each address of the hostile texts, and just before it the one of the harmless texts, if there is one: times pass.
  const structures = async (sites, wanted, hasPolicy) => {
    const problems = [], found = { harmless: new Map(), hostile: [] };
    const shown = await Promise.all(sites.map(async (of) => (hasPolicy ? of : withoutPolicy(of))));
    const sessions = await Promise.all(sites.map((of) => of.logIn("operator")));
    const begin = () => Promise.all(shown.map(async (of, n) => {
      const window_ = await open(await browser(), { console: of, session: sessions[n] });
      // Chromium is started so that it reaches nothing but this machine.
      window_.page.on("request", (request) => {
        if (!request.url().startsWith(of.origin)) problems.push(`${window_.page.url()} loads ${request.url()}`);
      });
      return window_;
    }));
    const read = async ({ page, go }, address) => {
      const isList = lists.includes(address);
      const answer = await go(address);
      if (answer.status() !== 200) problems.push(`${answer.status()} ${address}`);
      if (hasPolicy !== "content-security-policy" in answer.headers()) problems.push(`${address}: the policy`);
      return page.evaluate(structure, isList);
    };
    await parallel(wanted, begin, async ([harmless, hostile], { name, addresses }) => {
      if (addresses[0]) found.harmless.set(name, await read(harmless, addresses[0]));
      found.hostile.push({ name, address: addresses[1], lines: await read(hostile, addresses[1]) });
    }, async (windows) => {
      for (const { context, reports } of windows) { await context.close(); problems.push(...reports); }
    });
    if (!hasPolicy) for (const of of shown) of.close();
    return { found, problems };
  };

  const prepared = new Map();
  const prepare = (name, texts) => {
    if (!prepared.has(name)) {
      postgres.clone(name, "pristine");
      const base = prepared.get("base") ?? postgres.psql("fixture", "SELECT date_trunc('second', now()) - interval '2 minutes'");
      prepared.set("base", base);
      const script = `\\i ${import.meta.dirname}/hostile.sql`;
      postgres.script(name, script, { texts: JSON.stringify(texts), base });
      const id = postgres.psql(name, `SELECT hookfast_data.event_id_at('${base}')`);
      const quarantined = Number(postgres.psql(name, "SELECT max(id) - 60 FROM hookfast_data.quarantine"));
      prepared.set(name, { id, quarantined });
    }
    return prepared.get(name);
  };

  const compare = async (hasPolicy, numbers) => {
    const addresses = [["harmless", HARMLESS], ["hostile", PAYLOADS]].map(([name, texts]) => {
      const { id, quarantined } = prepare(name, texts);
      return (n) => each(n, id, texts, quarantined, hasPolicy);
    });
    const [harmless, hostile] = addresses;
    const wanted = [...lists.map((address) => ({ name: address, addresses: [address, address] })),
      ...[...new Set([1, 2, 3, 4, 5, 6, ...numbers])].flatMap((n) => hostile(n).map(({ name, address }, at) =>
        ({ name, addresses: [n <= 6 ? harmless(n)[at].address : undefined, address] })))];
    const { found, problems } = await structures([await site("harmless"), await site("hostile")], wanted, hasPolicy);
    const differences = found.hostile.map(({ name, address, lines }) => {
      const difference = firstDifference(found.harmless.get(name), lines);
      return difference && `${address}: ${difference}`;
    });
    assert.deepEqual([...new Set([...problems, ...differences.filter(Boolean)])], []);
  };

  const all = PAYLOADS.map((_, n) => n + 1);

  test("text of senders is never markup without the policy", () => compare(false, all));

  // The elements are the same as above, so a part is enough to see that the policy reports nothing.
  test("text of senders causes no report of the policy", () => compare(true, full ? all : all.filter((n) => n % 10 === 0)));
}
