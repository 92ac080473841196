// Writes the pictures of docs/console, and one sheet of all of them: node pictures.mjs. scripts/browser --pictures starts it.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch, open } from "./browser.mjs";
import { EACH_PAGE, idsOf, pages, problems } from "./pages.mjs";
import { reduced } from "./palette.mjs";
import { Console, Postgres } from "./site.mjs";

const LARGEST = 120_000, LARGEST_SHEET = 1_000_000;
const DARK_TOO = ["now", "order"];

const folder = join(import.meta.dirname, "../../docs/console");
mkdirSync(folder, { recursive: true });
for (const name of readdirSync(folder)) if (name.endsWith(".png")) rmSync(join(folder, name));

const postgres = await Postgres.start();
const home = mkdtempSync(join(tmpdir(), "hookfast-pictures-"));
const sites = [];
let browser;
try {
  postgres.fixture("fixture");
  const site = await Console.start(postgres, "fixture");
  sites.push(site);
  postgres.create("fresh");
  const fresh = await Console.development(postgres, "fresh", home);
  sites.push(fresh);
  browser = await launch();
  const addresses = pages(idsOf(postgres, "fixture"));
  const taken = [];

  const take = async (name, of, path, session, { width = 1280, height = 900, scheme = "light", prepare } = {}) => {
    const options = { viewport: { width, height }, colorScheme: scheme, reducedMotion: "reduce" };
    const { page, go, context } = await open(browser, { console: of, session, options });
    await go(path);
    await prepare?.(page);
    await page.evaluate(() => document.fonts.ready);
    const picture = reduced(await page.screenshot());
    if (picture.length > LARGEST) throw new Error(`${name}.png has ${picture.length} bytes; at most ${LARGEST} are allowed`);
    writeFileSync(join(folder, `${name}.png`), picture);
    taken.push({ name, width, height, picture });
    await context.close();
  };

  const operator = await site.logIn("operator");
  for (const name of EACH_PAGE) {
    await take(name, site, addresses[name], operator);
    if (!DARK_TOO.includes(name)) continue;
    await take(`${name}-dark`, site, addresses[name], operator, { scheme: "dark" });
    await take(`${name}-phone`, site, addresses[name], operator, { width: 390, height: 844 });
    await take(`${name}-phone-dark`, site, addresses[name], operator, { width: 390, height: 844, scheme: "dark" });
  }
  await take("now-fresh", fresh, "/", await fresh.logIn("operator"));
  await take("design", fresh, "/design", await fresh.logIn("operator"));
  await take("done", site, addresses["act-retry"], operator, {
    prepare: async (page) => {
      await page.getByLabel("Reason").fill("the shop was repaired");
      await page.locator("form.confirm button[type=submit]").click();
      await page.waitForURL(/\/done\//);
    },
  });
  await take("login", site, "/login");
  await take("not-found", site, problems["event-not-found"], operator);
  await postgres.halt();
  await take("without-postgres", site, "/", operator);
  await postgres.run();

  // All of them on one sheet.
  const { page, context } = await open(browser, { options: { viewport: { width: 1680, height: 900 } } });
  const figures = taken.map(({ name, width, picture }) => `<figure style="width:${width > 500 ? 400 : 124}px"><img src="data:image/png;base64,`
    + `${picture.toString("base64")}"><figcaption>${name}</figcaption></figure>`);
  await page.setContent(`<!doctype html><style>body{margin:16px;background:#888;font:12px sans-serif;display:flex;flex-wrap:wrap;gap:12px;align-items:start}`
    + `figure{margin:0}img{width:100%;display:block}figcaption{padding:3px 0;color:#fff}</style>${figures.join("")}`);
  await page.waitForFunction(() => [...document.images].every((image) => image.complete));
  const sheet = reduced(await page.screenshot({ fullPage: true }));
  if (sheet.length > LARGEST_SHEET) throw new Error(`the sheet has ${sheet.length} bytes; at most ${LARGEST_SHEET} are allowed`);
  writeFileSync(join(folder, "contact-sheet.png"), sheet);
  await context.close();
  console.log(`hookfast: ${taken.length} pictures and contact-sheet.png are in docs/console`);
} finally {
  await browser?.close();
  for (const site of sites) await site.close();
  await postgres.close();
  rmSync(home, { recursive: true, force: true });
}
