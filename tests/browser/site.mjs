// A private Postgres with the databases of the tests, and a console for each.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const here = import.meta.dirname;
const { HOOKFAST_PG_BIN: binaries, HOOKFAST_BIN: hookfast } = process.env;
const LOGIN = "browser_console";

// The people of the tests, and their roles.
export const PEOPLE = { reader: "ada", support: "bo", operator: "cy" };

// Postgres refuses to run as root.
function account() {
  if (process.getuid() !== 0) return {};
  const line = readFileSync("/etc/passwd", "utf8").split("\n").find((each) => /^(postgres|nobody):/.test(each));
  const [, , uid, gid] = line.split(":").map(Number);
  return { uid, gid };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject).listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

// Waits until a condition holds. Returns what it returned.
export async function until(what, condition, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what} did not happen within ${seconds} s`);
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}

export class Postgres {
  static async start() {
    const postgres = new Postgres();
    postgres.account = account();
    postgres.folder = mkdtempSync(join(process.getuid() === 0 ? "/var/tmp" : tmpdir(), "hookfast-browser-"));
    if ("uid" in postgres.account) chownSync(postgres.folder, postgres.account.uid, postgres.account.gid);
    postgres.port = await freePort();
    execFileSync(join(binaries, "initdb"), ["-D", join(postgres.folder, "data"), "-U", "owner", "-A", "trust", "-E", "UTF8",
      "--locale=C", "--no-sync"], { ...postgres.account, cwd: postgres.folder, stdio: ["ignore", "ignore", "inherit"] });
    await postgres.run();
    return postgres;
  }

  // Starts the server, again after `halt`.
  async run() {
    this.server = spawn(join(binaries, "postgres"), ["-D", join(this.folder, "data"), "-p", String(this.port), "-k", "",
      "-c", "fsync=off", "-c", "max_connections=200"], { ...this.account, cwd: this.folder, stdio: "ignore" });
    this.ended = once(this.server, "exit");
    await until("the start of Postgres", () => {
      if (this.server.exitCode !== null) throw new Error(`Postgres ended with ${this.server.exitCode}`);
      try { return this.psql("postgres", "SELECT 1") === "1"; } catch { return false; }
    });
  }

  async halt() {
    this.server.kill("SIGINT");
    await this.ended;
  }

  url(database, user = "owner") {
    return `postgres://${user}@127.0.0.1:${this.port}/${database}`;
  }

  // The result of a statement, as text.
  psql(database, statement, user = "owner") {
    return this.script(database, statement, {}, user);
  }

  script(database, text, variables = {}, user = "owner") {
    const set = Object.entries(variables).flatMap(([name, value]) => ["-v", `${name}=${value}`]);
    return execFileSync("psql", ["-XqAt", "-v", "ON_ERROR_STOP=1", ...set, this.url(database, user)],
      { input: text, encoding: "utf8", maxBuffer: 64 << 20, stdio: ["pipe", "pipe", "pipe"] }).trim();
  }

  // Runs a statement in a transaction that stays open until `end`.
  hold(database, statement) {
    const session = spawn("psql", ["-XqAt", this.url(database)], { stdio: ["pipe", "pipe", "inherit"] });
    const begun = once(session.stdout, "data");
    session.stdin.write(`BEGIN;\n${statement};\nSELECT 'begun';\n`);
    return { begun, end: async () => { session.stdin.end("ROLLBACK;\n"); await once(session, "exit"); } };
  }

  // A database with the schema. Roles belong to the server, so those of people are made once.
  create(database) {
    this.psql("postgres", `CREATE DATABASE ${database}`);
    execFileSync(hookfast, ["migrate"], { env: { ...process.env, DATABASE_URL: this.url(database) }, stdio: ["ignore", "ignore", "inherit"] });
    const options = Number(this.psql("postgres", "SHOW server_version_num")) >= 160000 ? "WITH INHERIT FALSE, SET TRUE" : "";
    this.psql(database, `DO $$ BEGIN
      IF to_regrole('${LOGIN}') IS NOT NULL THEN RETURN; END IF;
      CREATE ROLE ${LOGIN} LOGIN NOINHERIT;
      GRANT hookfast_console, hookfast_reader, hookfast_support, hookfast_operator TO ${LOGIN} ${options};
      ${Object.entries(PEOPLE).map(([role, name]) => `CREATE ROLE ${name} LOGIN; GRANT hookfast_${role} TO ${name};`).join("\n")}
      END $$`);
  }

  clone(database, of) {
    this.psql("postgres", `CREATE DATABASE ${database} TEMPLATE ${of}`);
  }

  fixture(database) {
    this.create(database);
    this.script(database, readFileSync(join(here, "fixture.sql"), "utf8"));
  }

  async close() {
    if (this.server.exitCode === null) await this.halt();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

// A console in a process of its own.
export class Console {
  static async start(postgres, database) {
    const console_ = new Console();
    console_.postgres = postgres;
    console_.database = database;
    console_.port = await freePort();
    console_.origin = `http://127.0.0.1:${console_.port}`;
    const environment = { ...process.env, DATABASE_URL: postgres.url(database, LOGIN), RUST_LOG: "warn" };
    console_.process = spawn(hookfast, ["console", "--listen", `127.0.0.1:${console_.port}`], { env: environment, stdio: ["ignore", "ignore", "ignore"] });
    await until("the start of the console", () => console_.answers());
    return console_;
  }

  // The console of `hookfast dev`, which also has the page of the design, on a database where nothing has happened.
  static async development(postgres, database, folder) {
    const console_ = new Console();
    console_.postgres = postgres;
    console_.database = database;
    console_.port = await freePort();
    console_.origin = `http://127.0.0.1:${console_.port}`;
    const environment = { ...process.env, DATABASE_URL: postgres.url(database), RUST_LOG: "warn" };
    const addresses = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--console-listen", `127.0.0.1:${console_.port}`];
    console_.process = spawn(hookfast, ["dev", ...addresses], { cwd: folder, env: environment, stdio: ["ignore", "ignore", "ignore"] });
    await until("the start of hookfast dev", () => console_.answers(), 60);
    return console_;
  }

  async answers() {
    if (this.process.exitCode !== null) throw new Error(`hookfast ended with ${this.process.exitCode}`);
    try { return (await fetch(`${this.origin}/login`)).ok; } catch { return false; }
  }

  // The key of a new session.
  async logIn(role) {
    const ticket = this.postgres.psql(this.database, "SELECT hookfast.console_ticket()", PEOPLE[role]);
    const answer = await fetch(`${this.origin}/login`, {
      method: "POST", redirect: "manual", headers: { "sec-fetch-site": "same-origin" }, body: new URLSearchParams({ ticket, next: "/" }),
    });
    const cookie = answer.headers.get("set-cookie")?.match(/^hookfast=([^;]+)/)?.[1];
    if (!cookie) throw new Error(`the login of ${role} was answered ${answer.status}`);
    return cookie;
  }

  async close() {
    if (this.process.exitCode !== null) return;
    this.process.kill("SIGTERM");
    await once(this.process, "exit");
  }
}
