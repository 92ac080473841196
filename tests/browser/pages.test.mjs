// Each page as each role, in both themes, at three widths: no fault that axe finds, nothing against the policy, nothing
// in the console of the browser, nothing wider than the window.

import assert from "node:assert/strict";
import { faults, open, overflow, withoutStatus } from "./browser.mjs";
import { EACH_PAGE, idsOf, pages, problems } from "./pages.mjs";
import { parallel } from "./parallel.mjs";

const WIDTHS = [1280, 768, 360];
const THEMES = ["light", "dark"];

export default function of(suite) {
  const { test, full } = suite;

  const inspect = async (window_, name, path, { themes, widths, axeAt }, status = 200) => {
    const { page, go } = window_;
    const found = [];
    await page.setViewportSize({ width: widths[0], height: 900 });
    await page.emulateMedia({ colorScheme: themes[0] });
    const answer = await go(path);
    if (answer.status() !== status) found.push(`${name}: ${path} was answered ${answer.status()}`);
    for (const theme of themes) {
      await page.emulateMedia({ colorScheme: theme });
      for (const width of widths) {
        await page.setViewportSize({ width, height: 900 });
        if (axeAt(theme, width)) found.push(...(await faults(page)).map((line) => `${name}, ${theme}, ${width}: ${line}`));
        found.push(...(await overflow(page)).map((line) => `${name}, ${width}: ${line}`));
      }
    }
    return found;
  };

  // Every page with its own window, several at once.
  const inspectAll = async (role, list, how) => {
    const site = await suite.site("fixture");
    const session = role && await site.logIn(role);
    const found = await parallel(Object.entries(list), async () => open(await suite.browser(), { console: site, session }),
      async (window_, [name, path]) => inspect(window_, name, path, how, role && list === problems ? 404 : 200),
      async ({ context, reports }) => { await context.close(); return list === problems ? withoutStatus(reports) : reports; });
    assert.deepEqual(found.flat(), []);
  };

  for (const role of ["reader", "support"]) {
    test(`each page has no fault as ${role}`, async () => {
      const ids = idsOf(suite.postgres, "fixture");
      await suite.site("fixture");
      if (full) return inspectAll(role, pages(ids), { themes: THEMES, widths: WIDTHS, axeAt: () => true });
      const once = Object.fromEntries(Object.entries(pages(ids)).filter(([name]) => EACH_PAGE.includes(name)));
      return inspectAll(role, once, { themes: ["light"], widths: [1280], axeAt: () => true });
    });
  }

  test("each page has no fault as operator, in both themes and at each width", async () => {
    await suite.site("fixture");
    const all = Object.entries(pages(idsOf(suite.postgres, "fixture")));
    const [once, states] = [true, false].map((is) => Object.fromEntries(all.filter(([name]) => EACH_PAGE.includes(name) === is)));
    const every = { themes: THEMES, widths: WIDTHS, axeAt: (theme, width) => full || (theme === "light" ? width === 1280 : width === 360) };
    await inspectAll("operator", once, every);
    await inspectAll("operator", states, full ? every : { themes: ["light"], widths: WIDTHS, axeAt: (_, width) => width === 1280 });
  });

  test("the page of the design has no fault", async () => {
    const of = await suite.site("dev");
    const window_ = await open(await suite.browser(), { console: of, session: await of.logIn("operator") });
    const how = { themes: THEMES, widths: WIDTHS, axeAt: () => true };
    const found = [...await inspect(window_, "design", "/design", how), ...await inspect(window_, "now-fresh", "/", how)];
    assert.deepEqual([...found, ...window_.reports], []);
    await window_.context.close();
  });

  test("pages of what is forbidden, too slow and expired have no fault", async () => {
    const of = await suite.site("acting");
    const how = { themes: THEMES, widths: WIDTHS, axeAt: () => true };
    const reader = await open(await suite.browser(), { console: of, session: await of.logIn("reader") });
    const { page, go, context, origin } = reader;
    const found = [];
    const look = async (name) => {
      for (const theme of THEMES) {
        await page.emulateMedia({ colorScheme: theme });
        for (const width of WIDTHS) {
          await page.setViewportSize({ width, height: 900 });
          found.push(...(await faults(page)).map((line) => `${name}: ${line}`), ...await overflow(page));
        }
      }
    };
    await go("/");
    // A reader posts what no page offers.
    const forbidden = page.waitForResponse(`${origin}/act/pause_handler`);
    await page.evaluate(() => {
      const form = Object.assign(document.createElement("form"), { method: "post", action: "/act/pause_handler" });
      for (const [name, value] of [["handler", "shop"], ["why", "forged"]]) form.append(Object.assign(document.createElement("input"), { name, value }));
      document.body.append(form);
      form.submit();
    });
    assert.equal((await forbidden).status(), 403);
    await page.waitForLoadState();
    await look("forbidden");
    // Nobody can read the table until the lock is gone, so the page has no time.
    const lock = suite.postgres.hold("acting", "LOCK TABLE hookfast_data.dead_letters IN ACCESS EXCLUSIVE MODE");
    await lock.begun;
    assert.equal((await go("/dead")).status(), 504);
    await look("too slow");
    await lock.end();
    // The session ends while a form is open: the address and what was typed are kept through the login.
    suite.postgres.psql("acting", "UPDATE hookfast_data.access SET ended_at = now(), ended_because = 'a test' WHERE ended_at IS NULL");
    await go("/dead?handler=shop");
    assert.equal(page.url(), `${origin}/login?next=%2Fdead%3Fhandler%3Dshop`);
    await look("expired");
    assert.deepEqual([...found, ...withoutStatus(reader.reports)], []);
    await context.close();
  });

  test("a page of proof has no fault", async () => {
    const of = await suite.site("acting");
    const event = idsOf(suite.postgres, "acting").order(9);
    const { page, go, context, reports } = await open(await suite.browser(), { console: of, session: await of.logIn("operator") });
    await go(`/act/hold_event?event_id=${event}`);
    await page.getByLabel("Reason").fill("a dispute");
    await page.locator("form.confirm button[type=submit]").click();
    await page.waitForURL(/\/done\/hold_event/);
    const found = await inspect({ page, go }, "done", page.url().replace(of.origin, ""), { themes: THEMES, widths: WIDTHS, axeAt: () => true });
    assert.deepEqual([...found, ...reports], []);
    await context.close();
  });

  test("pages of problems and of the login have no fault", async () => {
    const how = { themes: THEMES, widths: WIDTHS, axeAt: () => true };
    await inspectAll("operator", problems, how);
    await inspectAll(null, { login: "/login", "login-with-a-ticket": "/login?ticket=abc&next=/dead", "not-logged-in": "/dead?handler=shop" }, how);
  });
}
