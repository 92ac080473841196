// Keys, copying, the history of the browser, and links and forms of other sites.

import assert from "node:assert/strict";
import { open } from "./browser.mjs";
import { idsOf } from "./pages.mjs";
import { PEOPLE } from "./site.mjs";

export default function of({ test, site, postgres, browser, full }) {
  const window_ = async (name, options) => {
    const of = await site(name);
    return open(await browser(), { console: of, session: await of.logIn("operator"), options });
  };

  test("keys find, help and are turned off", async () => {
    const { page, go, context } = await window_("fixture");
    await go("/dead");
    const focused = () => page.evaluate(() => document.activeElement.id);
    await page.keyboard.press("/");
    assert.equal(await focused(), "find");
    await page.keyboard.press("Escape");
    assert.notEqual(await focused(), "find");
    await page.keyboard.press("?");
    assert.equal(await page.locator("#help").evaluate((dialog) => dialog.open), true);
    await page.locator("#shortcuts-on").uncheck();
    await page.keyboard.press("Escape");
    assert.equal(await page.locator("#help").evaluate((dialog) => dialog.open), false);
    for (const again of [false, true]) {
      if (again) await page.reload();
      await page.keyboard.press("/");
      await page.keyboard.press("?");
      assert.notEqual(await focused(), "find", "the shortcuts are off");
      assert.equal(await page.locator("#help").evaluate((dialog) => dialog.open), false);
    }
    await context.close();
  });

  test("tab reaches every act, and shows where it is", async () => {
    const { page, go, context } = await window_("fixture");
    await go("/dead?handler=shop");
    const reached = new Set(), invisible = [];
    for (let n = 0; n < 400; n += 1) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const element = document.activeElement;
        if (element === document.body) return null;
        const look = () => { const { outlineStyle, outlineWidth, boxShadow, backgroundColor } = getComputedStyle(element); return [outlineStyle === "none" ? "" : outlineWidth, boxShadow, backgroundColor].join(); };
        const seen = look();
        element.blur();
        const plain = look();
        element.focus({ focusVisible: true });
        const { width, height } = element.getBoundingClientRect();
        return { href: element.getAttribute("href"), visible: seen !== plain && width > 1 && height > 1, html: element.outerHTML.slice(0, 120) };
      });
      if (!at) break;
      if (!at.visible) invisible.push(at.html);
      if (n === 0) assert.equal(at.href, "#main");
      if (at.href) reached.add(at.href);
    }
    assert.deepEqual(invisible, []);
    const acts = await page.locator("main a[href^='/act/']:visible").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
    assert.ok(acts.length > 10, `${acts.length}`);
    assert.deepEqual(acts.filter((href) => !reached.has(href)), []);
    await context.close();
  });

  test("what cannot be copied by the browser is selected", async () => {
    for (const isForbidden of [false, true]) {
      const { page, go, context } = await window_("fixture");
      await page.addInitScript((forbidden) => {
        Object.defineProperty(navigator, "clipboard", { value: undefined });
        if (forbidden) document.execCommand = () => { throw new Error("not allowed"); };
      }, isForbidden);
      await go("/dead");
      const button = page.locator("main table [data-copy]:visible").first();
      const text = await button.getAttribute("data-copy");
      await button.click();
      assert.equal(await button.getAttribute("data-done"), isForbidden ? "no" : "yes");
      if (isForbidden) {
        const shown = await button.evaluate((element) => element.previousElementSibling.textContent);
        assert.equal(await page.evaluate(() => String(getSelection())), shown);
      } else {
        await page.locator("#find").focus();
        await page.keyboard.press("Control+V");
        assert.equal(await page.locator("#find").inputValue(), text);
      }
      await context.close();
    }
  });

  test("a filter has the same rows after back, forward, reload and in a new tab", async () => {
    const { page, go, context, origin } = await window_("fixture");
    const rows = (of) => of.locator("main tbody tr").evaluateAll((list) => list.map((row) => row.querySelector("a[href]")?.getAttribute("href")));
    let different = 0;
    for (const path of ["/events", "/orders", "/dead?handler=shop", "/alerts", "/sources/github?reason=too_large"]) {
      await go(path);
      const start = await rows(page);
      const filters = page.locator("main :is(.segments, .tabs, .filters, .pager) a[href]");
      const addresses = await filters.evaluateAll((links) => [...new Set(links.map((link) => link.getAttribute("href")))]);
      // A link to the same address makes no new entry in the history.
      if (addresses.includes(path)) addresses.splice(addresses.indexOf(path), 1);
      assert.ok(addresses.length > 0, path);
      for (const address of addresses.filter((_, n) => full || n % Math.ceil(addresses.length / 5) === 0)) {
        await go(path);
        const navigated = page.waitForEvent("framenavigated");
        await page.locator(`main :is(.segments, .tabs, .filters, .pager) a[href="${address}"]`).first().evaluate((link) => link.click());
        await navigated;
        await page.waitForLoadState();
        assert.equal(page.url(), origin + address);
        const filtered = await rows(page);
        if (String(filtered) !== String(start)) different += 1;
        await page.goBack();
        assert.deepEqual(await rows(page), start, `${address}, back`);
        await page.goForward();
        assert.deepEqual(await rows(page), filtered, `${address}, forward`);
        await page.reload();
        assert.deepEqual(await rows(page), filtered, `${address}, reload`);
        const tab = await context.newPage();
        await tab.goto(origin + address);
        assert.deepEqual(await rows(tab), filtered, `${address}, new tab`);
        await tab.close();
      }
    }
    assert.ok(different > 5, "filters change the rows");
    await context.close();
  });

  test("a link of another site arrives logged in, and a form of it changes nothing", async () => {
    const of = await site("acting");
    const { page, go, context, origin } = await open(await browser(), { console: of });
    const ticket = postgres.psql("acting", "SELECT hookfast.console_ticket()", PEOPLE.operator);
    await go(`/login?ticket=${ticket}`);
    await page.locator("button[type=submit]").click();
    await page.waitForURL(`${origin}/`);
    const letter = idsOf(postgres, "acting").dead("orders.placed mailer");
    const left = () => postgres.psql("acting", `SELECT count(*) FROM hookfast_data.dead_letters WHERE delivery_id = ${letter}`);
    const form = `<form method="post" action="${origin}/act/discard"><input name="delivery_id" value="${letter}"><input name="at_most" value="1">`
      + `<input name="why" value="forged"><input name="typed" value="1"><button>Win</button></form>`;
    await context.route("http://other.example/**", (route) => route.fulfill({ contentType: "text/html", body: `<a href="${origin}/dead">Pager</a>${form}` }));
    await page.goto("http://other.example/");
    await page.locator("a").click();
    await page.waitForURL(`${origin}/dead`);
    assert.equal(await page.locator("main h1").innerText(), "Dead letters");
    assert.equal(await left(), "1");
    await page.goto("http://other.example/");
    const answered = page.waitForResponse(`${origin}/act/discard`);
    await page.locator("button").click();
    assert.equal((await answered).status(), 403);
    assert.equal(await left(), "1");
    await context.close();
  });
}
