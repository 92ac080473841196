// What console.js does, and that everything works without it.

import assert from "node:assert/strict";
import { faults, open, overflow, withoutStatus } from "./browser.mjs";
import { idsOf, pages } from "./pages.mjs";
import { parallel } from "./parallel.mjs";
import { until } from "./site.mjs";

export default function of({ test, site, postgres, browser }) {
  const window_ = async (name, { role = "operator", options } = {}) => {
    const of = await site(name);
    return open(await browser(), { console: of, session: role && await of.logIn(role), options });
  };
  // Waits for the answers to refreshes of the page.
  const refreshes = async (page, count, act = () => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")))) => {
    for (let n = 0; n < count; n += 1) {
      const answered = page.waitForResponse((response) => response.request().headers()["hookfast-part"] === "refresh");
      await act();
      await (await answered).finished();
    }
    // The answer is applied in a task of its own.
    await page.evaluate(() => new Promise((resolve) => { setTimeout(resolve, 50); }));
  };
  // Each refresh gets the same bytes as the first, so nothing has changed.
  const freeze = async (page, path) => {
    let first;
    await page.route((url) => url.pathname + url.search === path, async (route) => {
      first ??= await (async () => { const response = await route.fetch(); return { response, body: await response.body() }; })();
      return route.fulfill(first);
    });
  };

  test("every read page is shown without JavaScript", async () => {
    const of = await site("fixture"), session = await of.logIn("operator");
    const problems = await parallel(Object.entries(pages(idsOf(postgres, "fixture"))),
      async () => open(await browser(), { console: of, session, options: { javaScriptEnabled: false } }),
      async ({ page, go }, [name, path]) => {
        const answer = await go(path);
        const heading = await page.locator("main h1").count();
        // What only works with JavaScript is not shown.
        const buttons = await page.locator("[data-copy]:visible, [data-copy-link]:visible, [data-do]:visible").count();
        return answer.status() === 200 && heading === 1 && buttons === 0 ? [] : [`${name}: ${answer.status()}, ${heading}, ${buttons}`];
      }, async ({ context, reports }) => { await context.close(); return reports; });
    assert.deepEqual(problems.flat(), []);
  });

  test("an act works without JavaScript from its preview to its proof", async () => {
    const { page, go, context } = await window_("acting", { options: { javaScriptEnabled: false } });
    const letter = idsOf(postgres, "acting").dead("airalo.order.completed shop");
    const state = () => postgres.psql("acting", `SELECT count(*) FROM hookfast_data.dead_letters WHERE delivery_id = ${letter}`);
    await go(`/dead?handler=shop`);
    await page.locator(`a[href^="/act/retry?delivery_id=${letter}"]`).first().click();
    assert.equal(await page.locator("main h1").count(), 1);
    assert.equal(await state(), "1", "a preview changes nothing");
    await page.getByLabel("Reason").fill("the shop was repaired");
    await page.locator("form.confirm button[type=submit]").click();
    await page.waitForURL(/\/done\/retry/);
    assert.equal(await state(), "0");
    assert.match(await page.locator("main").innerText(), /In the audit log/);
    assert.equal(postgres.psql("acting", "SELECT details ->> 'why' FROM hookfast_data.audit_log WHERE on_behalf_of = 'cy' "
      + "AND action = 'delivery.retried' ORDER BY id DESC LIMIT 1"), "the shop was repaired");
    await context.close();
  });

  test("a refresh without a change changes no node, and keeps focus and selection", async () => {
    const { page, go, context, reports } = await window_("fixture");
    await freeze(page, "/");
    await go("/");
    await page.waitForLoadState("networkidle");
    await page.evaluate(() => {
      window.seen = 0;
      new MutationObserver((list) => { window.seen += list.length; }).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
      document.querySelector("main a[href^='/handlers/']").focus();
    });
    await refreshes(page, 20);
    assert.equal(await page.evaluate(() => window.seen), 0);
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("href")?.startsWith("/handlers/")), true);
    // A selection pauses the refresh, and stays.
    const chosen = await page.evaluate(() => { getSelection().selectAllChildren(document.querySelector("main h1")); return String(getSelection()); });
    let asked = 0;
    page.on("request", (request) => { if (request.headers()["hookfast-part"]) asked += 1; });
    for (let n = 0; n < 20; n += 1) await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    assert.equal(await page.evaluate(() => String(getSelection())), chosen);
    assert.equal(asked, 0, "a page with a selection is not refreshed");
    assert.deepEqual(reports, []);
    await context.close();
  });

  test("a refresh shows what has changed", async () => {
    const { page, go, context } = await window_("acting");
    await go("/");
    await page.evaluate(() => { window.isSamePage = true; });
    postgres.psql("acting", "SELECT hookfast.pause_handler('mailer', 'a test')");
    await until("the new exception", async () => {
      await refreshes(page, 1);
      return (await page.locator("#exceptions, header, .exceptions").allInnerTexts()).join().includes("mailer");
    }, 20);
    assert.equal(await page.evaluate(() => window.isSamePage), true);
    await context.close();
  });

  test("a form with changes, and a hidden tab, are not refreshed", async () => {
    const { page, go, context } = await window_("fixture");
    await go("/");
    const asked = [];
    page.on("request", (request) => { if (request.headers()["hookfast-part"]) asked.push(request.url()); });
    const again = () => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    const hasRefresh = await page.evaluate(() => Boolean(document.documentElement.dataset.refresh));
    assert.equal(hasRefresh, true);
    await page.evaluate(() => {
      const form = document.querySelector("#main").appendChild(document.createElement("form"));
      form.append(Object.assign(document.createElement("input"), { name: "note", value: "" }));
      form.elements.note.value = "typed";
    });
    await again();
    assert.deepEqual(asked, []);
    await page.evaluate(() => { document.querySelector("#main form:last-child").remove(); });
    await page.evaluate(() => { Object.defineProperty(document, "hidden", { value: true, configurable: true }); });
    await again();
    // Longer than the interval of the page.
    await page.waitForTimeout(6500);
    assert.deepEqual(asked, []);
    await page.evaluate(() => { delete document.hidden; });
    await refreshes(page, 1);
    assert.equal(asked.length, 1);
    await context.close();
  });

  test("a page whose refresh is expensive is refreshed less often", async () => {
    const { page, go, context } = await window_("fixture");
    // Counted instead of awaited: the delays that the page asks for.
    await page.addInitScript(() => {
      window.delays = [];
      const original = window.setTimeout;
      window.setTimeout = (run, delay, ...rest) => { if (delay >= 5000) window.delays.push(delay); return original(run, delay, ...rest); };
    });
    await page.route((url) => url.pathname === "/", async (route) => {
      const response = await route.fetch();
      if (route.request().headers()["hookfast-part"]) await new Promise((resolve) => { setTimeout(resolve, 600); });
      return route.fulfill({ response });
    });
    await go("/");
    assert.deepEqual(await page.evaluate(() => window.delays), [5000]);
    await refreshes(page, 1);
    const delays = await page.evaluate(() => window.delays.filter((delay) => delay !== 15000));
    assert.ok(delays.at(-1) >= 12000, `${delays}`);
    await context.close();
  });

  test("an open page says so when Postgres stops, and recovers", async () => {
    const { page, go, context, reports } = await window_("acting");
    await go("/");
    const asOf = await page.locator("#as-of time").innerText();
    await postgres.halt();
    const stopped = Date.now();
    try {
      await page.locator("#stale").waitFor({ state: "visible", timeout: 12000 });
      const seconds = (Date.now() - stopped) / 1000;
      assert.ok(seconds <= 12, `it took ${seconds} s`);
      assert.match(await page.locator("#stale").innerText(), /as of \d\d:\d\d:\d\d/);
      assert.ok(asOf <= await page.locator("#as-of time").innerText());
      // Every number is grey.
      const unmarked = await page.evaluate(() => {
        const sample = document.querySelector("main").appendChild(document.createElement("i"));
        sample.className = "dim";
        const grey = getComputedStyle(sample).color;
        sample.remove();
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
        while (walker.nextNode()) {
          const { parentElement: parent, nodeValue: text } = walker.currentNode;
          if (!/\d/.test(text) || !parent.checkVisibility() || parent.closest("#stale, #as-of, .foot, dialog")) continue;
          if (getComputedStyle(parent).color !== grey) found.push(`${getComputedStyle(parent).color}: ${parent.outerHTML.slice(0, 100)}`);
        }
        return found;
      });
      assert.deepEqual(unmarked, []);
      // A new page says what happened and what is not affected.
      const other = await context.newPage();
      const answer = await other.goto(`${(await site("acting")).origin}/dead`);
      assert.equal(answer.status(), 503);
      const said = await other.locator("main").innerText();
      assert.match(said, /The last answer from Postgres was at \d\d:\d\d:\d\d UTC/);
      assert.match(said, /answered 200 is stored/);
      assert.equal(await other.locator("ol.steps li").count(), 3);
      for (const width of [1280, 360]) {
        await other.setViewportSize({ width, height: 900 });
        assert.deepEqual([...await faults(other), ...await overflow(other)], []);
      }
      await other.close();
    } finally {
      await postgres.run();
    }
    await page.locator("#stale").waitFor({ state: "hidden", timeout: 30000 });
    assert.deepEqual(withoutStatus(reports), []);
    await context.close();
  });
}
