// Each page as each role, in both themes, at three widths: no fault that axe finds, nothing against the policy, nothing
// in the console of the browser, nothing wider than the window.

import assert from "node:assert/strict";
import { faults, open, overflow, withoutStatus } from "./browser.mjs";
import { idsOf, pages, problems } from "./pages.mjs";
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
      await inspectAll(role, pages(ids), full
        ? { themes: THEMES, widths: WIDTHS, axeAt: () => true }
        : { themes: ["light"], widths: [1280], axeAt: () => true });
    });
  }

  test("each page has no fault as operator, in both themes and at each width", async () => {
    await suite.site("fixture");
    const ids = idsOf(suite.postgres, "fixture");
    const axeAt = (theme, width) => full || (theme === "light" ? width === 1280 : width === 360);
    await inspectAll("operator", pages(ids), { themes: THEMES, widths: WIDTHS, axeAt });
  });

  test("pages of problems and of the login have no fault", async () => {
    const how = { themes: THEMES, widths: WIDTHS, axeAt: () => true };
    await inspectAll("operator", problems, how);
    await inspectAll(null, { login: "/login", "login-with-a-ticket": "/login?ticket=abc&next=/dead", "not-logged-in": "/dead?handler=shop" }, how);
  });
}
