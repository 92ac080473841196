// Runs the tests of the console in a browser: node run.mjs [--full] [--only PATTERN]. scripts/browser prepares and starts it.

import { mkdtempSync, rmSync } from "node:fs";
import { after, test as nodeTest } from "node:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { launch } from "./browser.mjs";
import { Console, Postgres } from "./site.mjs";
import pagesTest from "./pages.test.mjs";
import interactionTest from "./interaction.test.mjs";
import liveTest from "./live.test.mjs";
import payloadsTest from "./payloads.test.mjs";

const { values } = parseArgs({ options: { full: { type: "boolean" }, only: { type: "string" } } });
const postgres = await Postgres.start();
const folder = mkdtempSync(join(tmpdir(), "hookfast-browser-dev-"));
const sites = new Map();
let browser;

// The databases are made from one, before any console is connected to it.
postgres.fixture("fixture");
postgres.clone("pristine", "fixture");
postgres.clone("acting", "fixture");
if (!values.only || new RegExp(values.only).test("the page of the design has no fault")) postgres.create("dev");

const start = (name) => (name === "dev" ? Console.development(postgres, name, folder) : Console.start(postgres, name));
const suite = {
  full: values.full ?? false,
  postgres,
  // Starts the console of a database once.
  site: (name) => {
    if (!sites.has(name)) sites.set(name, start(name));
    return sites.get(name);
  },
  browser: () => (browser ??= launch()),
  test: (name, run) => {
    if (!values.only || new RegExp(values.only).test(name)) nodeTest(name, run);
  },
};

for (const of of [pagesTest, payloadsTest, liveTest, interactionTest]) of(suite);

after(async () => {
  await (await browser)?.close();
  for (const site of await Promise.allSettled(sites.values())) await site.value?.close();
  await postgres.close();
  rmSync(folder, { recursive: true, force: true });
});
