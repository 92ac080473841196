// Sixty hostile texts in every field that a sender controls. A page has the same elements as with harmless texts, with the
// policy and without it: escaping holds by itself, and the policy has nothing to report.

import assert from "node:assert/strict";
import { open } from "./browser.mjs";
import { parallel } from "./parallel.mjs";
import { PAYLOADS } from "./payloads.mjs";

// Distinct words, because pages group what differs only in its numbers.
const letters = (n) => String.fromCharCode(97 + Math.floor(n / 26), 97 + n % 26);
const HARMLESS = PAYLOADS.map((_, n) => `harmless-${letters(n)}`);

// The elements of a page with the names of their attributes, without the marks for deceptive characters.
const structure = () => {
  const lines = [];
  const walk = (element, depth) => {
    if (element.matches("abbr.mark-char, br")) return;
    const attributes = [...element.attributes].map(({ name, value }) => {
      if (name.startsWith("on")) return `HANDLER ${name}`;
      if (["class", "id", "name", "type", "style"].includes(name)) return `${name}=${value}`;
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
  // The pages that show text number n.
  const each = (n, base, texts, ids) => {
    const event = `${base.slice(0, 13)}-7001-9000-${n.toString(16).padStart(12, "0")}`;
    return [
      `/events/${event}`, `/events/${event}?body=raw`, `/events/${event}?body=headers`, `/events/${event}?body=hex`,
      `/orders/airalo/hostile-${n}`, `/orders/airalo?description=${encodeURIComponent(`late ${n} ${texts[n - 1]}`)}`,
      `/quarantine/${ids.quarantined + n}`, `/act/discard?delivery_id=${5000000 + n}`, `/act/replay?event_id=${event}&handler=crm`,
    ];
  };
  // Lists with many of them.
  const lists = ["/", "/events?source=partner", "/events?type=partner.hostile", "/find?q=hostile", "/orders", "/orders?state=all",
    "/orders?state=low_data", "/orders?state=credit", "/dead?handler=shop", "/dead?type=partner.hostile", "/act/retry_all?type=partner.hostile",
    "/alerts", "/alerts?state=reported", "/handlers", "/handlers/billing", "/handlers/shop", "/handlers/crm", "/handlers/analytics",
    "/sources/partner", "/access", "/act/discard_quarantined?source=partner", "/act/resume_handler?handler=billing"];
  // What an address carries is shown, too.
  const reflected = (text) => {
    const value = encodeURIComponent(text);
    return [`/find?q=${value}`, `/orders?q=${value}`, `/dead?error=${value}`, `/dead?type=${value}`, `/events?type=${value}`,
      `/events?payload=${value}`, `/login?ticket=${value}&next=${value}`, `/act/retry_all?error=${value}`, `/act/erase_all?term=${value}`,
      `/act/pause_handler?handler=${value}`, `/act/replay_all?payload=${value}&type=${value}`];
  };

  const structures = async (of, addresses, hasPolicy) => {
    const session = await of.logIn("operator");
    const found = new Map(), problems = [];
    const begin = async () => {
      const window_ = await open(await browser(), { console: of, session });
      await window_.context.route((url) => url.origin !== of.origin, (route) => {
        problems.push(`${window_.page.url()} loads ${route.request().url()}`);
        return route.abort();
      });
      if (!hasPolicy) {
        await window_.page.route((url) => url.origin === of.origin, async (route) => {
          if (route.request().resourceType() !== "document") return route.continue();
          const response = await route.fetch();
          const { "content-security-policy": policy, ...headers } = response.headers();
          if (!policy) problems.push(`${route.request().url()} has no policy`);
          return route.fulfill({ response, headers });
        });
      }
      return window_;
    };
    await parallel(addresses, begin, async ({ page, go }, address) => {
      const answer = await go(address);
      if (answer.status() !== 200) problems.push(`${answer.status()} ${address}`);
      found.set(address, await page.evaluate(structure));
    }, async ({ context, reports }) => { await context.close(); problems.push(...reports); });
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
      prepared.set(name, { id, ids: { quarantined } });
    }
    return prepared.get(name);
  };

  const compare = async (hasPolicy, numbers) => {
    const sets = [];
    for (const [name, texts] of [["harmless", HARMLESS], ["hostile", PAYLOADS]]) {
      const { id, ids } = prepare(name, texts);
      const addresses = [...lists, ...numbers.flatMap((n) => [...each(n, id, texts, ids), ...reflected(texts[n - 1])])];
      sets.push({ addresses, ...await structures(await site(name), addresses, hasPolicy) });
    }
    const [harmless, hostile] = sets;
    const differences = harmless.addresses.map((address, n) => {
      const difference = firstDifference(harmless.found.get(address), hostile.found.get(hostile.addresses[n]));
      return difference && `${hostile.addresses[n]}: ${difference}`;
    });
    assert.deepEqual([...new Set([...harmless.problems, ...hostile.problems, ...differences.filter(Boolean)])], []);
  };

  const all = PAYLOADS.map((_, n) => n + 1);

  test("text of senders is never markup without the policy", () => compare(false, all));

  // The elements are the same as above, so a part is enough to see that the policy reports nothing.
  test("text of senders causes no report of the policy", () => compare(true, full ? all : all.filter((n) => n % 6 === 0)));
}
