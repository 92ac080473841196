// Chromium, and what it reports about a page: violations of the policy, errors in its console, faults that axe finds.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const { HOOKFAST_BROWSER_MODULES: modules, HOOKFAST_CHROMIUM: executablePath } = process.env;
const require = createRequire(join(modules, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

export function launch() {
  const args = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"];
  // Chromium refuses to have a sandbox if it runs as root.
  return chromium.launch({ executablePath, args, chromiumSandbox: process.getuid() !== 0 });
}

// A window of somebody who is logged in, or of nobody.
export async function open(browser, { console: site, session, options = {} } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-GB", timezoneId: "Europe/Berlin", ...options });
  context.setDefaultTimeout(15000);
  if (session) await context.addCookies([{ name: "hookfast", value: session, url: site.origin }]);
  const reports = [];
  await context.exposeBinding("hookfastReport", (_, text) => { reports.push(text); });
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      window.hookfastReport(`policy: ${event.violatedDirective} of ${event.blockedURI || event.sourceFile} on ${location.href}`);
    });
  });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) reports.push(`${message.type()}: ${message.text()} on ${page.url()}`);
  });
  page.on("pageerror", (error) => reports.push(`${error} on ${page.url()}`));
  page.on("dialog", (dialog) => { reports.push(`dialog: ${dialog.message()} on ${page.url()}`); dialog.dismiss(); });
  const go = (path) => page.goto(site.origin + path);
  return { context, page, reports, go, origin: site?.origin };
}

// Chromium reports the status of a page that is an error on purpose.
export const withoutStatus = (reports) => reports.filter((text) => !text.includes("Failed to load resource"));

// What axe finds, one line each.
export async function faults(page) {
  if (!await page.evaluate(() => "axe" in window)) await page.evaluate(axe);
  const options = { runOnly: TAGS, rules: { "target-size": { enabled: true } }, resultTypes: ["violations"] };
  const found = await page.evaluate((chosen) => window.axe.run(document, chosen), options);
  return found.violations.flatMap(({ id, nodes }) => nodes.map((node) =>
    `${id} at ${page.url()}: ${node.html.slice(0, 160)}: ${node.failureSummary.replaceAll(/\s+/g, " ").slice(0, 200)}`));
}

// What is wider than the window, if the page can be scrolled sideways, and tables that are wider than the text.
export const overflow = (page) => page.evaluate(() => {
  const width = document.documentElement.clientWidth;
  const right = (element) => element.getBoundingClientRect().right;
  const isScrolled = (element) => getComputedStyle(element).overflowX !== "visible";
  const tables = [...document.querySelectorAll("main table")]
    .filter((table) => !isScrolled(table.parentElement) && right(table) > right(table.parentElement) + 1)
    .map((table) => `${location.href}: the table “${table.caption?.textContent}” is ${right(table) - right(table.parentElement)} too wide in ${width}`);
  if (document.documentElement.scrollWidth <= width) return tables;
  const wide = [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > width + 1);
  return [`${location.href} is ${document.documentElement.scrollWidth} wide in ${width}: ${wide.slice(-3).map((element) =>
    element.outerHTML.slice(0, 120)).join(" … ")}`];
});
