// Load pages in headless Chromium and say what a person would meet there. Reads visits as JSON, writes findings as JSON.

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";

const { packages, unpacked, visits } = JSON.parse(readFileSync(0, "utf8"));
const load = createRequire(join(packages, "package.json"));
// The package's own file reads its font below /tmp, and a browser that finds none at all crashes at a rare character.
const FONTS = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${join(unpacked, "fonts")}</dir><cachedir>${join(unpacked, "fonts", "cache")}</cachedir></fontconfig>
`;
const READY = () => document.querySelector("#main")?.getAttribute("aria-busy") === "false";

// The browser of the npm package, with the libraries that it brings for machines that have none; else the machine's.
async function executable() {
  const problems = [];
  try {
    const { default: chromium, inflate, setupLambdaEnvironment } = load("@sparticuz/chromium");
    if (!existsSync(unpacked)) {
      const draft = `${unpacked}.draft`; // unpacked whole or not at all, whenever it is killed
      rmSync(draft, { recursive: true, force: true });
      mkdirSync(draft, { recursive: true });
      process.env.TMPDIR = draft;
      await chromium.executablePath();
      await inflate(join(packages, "node_modules/@sparticuz/chromium/bin/al2023.tar.br"));
      renameSync(draft, unpacked);
    }
    process.env.TMPDIR = unpacked; // where the package reads what it unpacked
    setupLambdaEnvironment(join(unpacked, "al2023", "lib"));
    writeFileSync(join(unpacked, "fonts", "fonts.conf"), FONTS);
    return { executablePath: await chromium.executablePath(), problems };
  } catch (error) {
    problems.push(String(error.message));
  }
  return { executablePath: installed(), problems };
}

function installed() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const names = ["chromium", "chromium-browser", "google-chrome"];
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find(existsSync);
}

async function launch() {
  const { chromium } = load("playwright-core");
  const { executablePath, problems } = await executable();
  const args = ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"]; // no sandbox: tests also run as root
  for (const path of new Set([executablePath, installed()])) {
    try {
      if (path) return { browser: await chromium.launch({ executablePath: path, args, timeout: 30_000 }) };
    } catch (error) {
      problems.push(String(error.message).split("\n").slice(0, 12).join(" "));
    }
  }
  return { problems };
}

async function visit(browser, { url, cookie, width = 1280, height = 900, scheme = "light", frame, open, choose, tabs = 0, screenshot, full = false }) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme });
  if (cookie) await context.addCookies([{ name: "_token", value: cookie, url: new URL(url).origin }]);
  const page = await context.newPage();
  const found = { console: [], requests: [], dialogs: 0 };
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && found.console.push(message.text()));
  page.on("pageerror", (error) => found.console.push(error.message));
  page.on("dialog", (dialog) => { found.dialogs += 1; dialog.dismiss(); });
  page.on("request", (request) => found.requests.push(request.url()));
  const response = await page.goto(url, { timeout: 60_000 });
  found.status = response.status();
  if (found.status === 200) {
    if (frame) await page.waitForSelector(`iframe[title="${frame}"]`, { timeout: 60_000 });
    const content = frame ? await (await page.$(`iframe[title="${frame}"]`)).contentFrame() : page;
    await content.waitForFunction(READY, null, { timeout: 60_000 });
    if (choose) await content.selectOption("#run", choose);
    if (open) await content.evaluate(() => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
    Object.assign(found, await content.evaluate(seen));
    found.focus = [];
    for (let pressed = 0; pressed < tabs; pressed += 1) {
      await page.keyboard.press("Tab");
      found.focus.push(await content.evaluate(focused));
    }
    if (screenshot) await page.screenshot({ path: screenshot, fullPage: full });
  }
  await context.close();
  return found;
}

// These two run in the page.
function seen() {
  const cells = (row) => [...row.children].map((cell) => cell.textContent);
  const style = getComputedStyle(document.body);
  return {
    text: document.body.innerText,
    tiles: Object.fromEntries([...document.querySelectorAll(".tile")].map((tile) => [tile.querySelector("h3").textContent, tile.innerText])),
    tables: Object.fromEntries([...document.querySelectorAll("table")].map((table) => [table.caption.textContent, [...table.querySelectorAll("tr")].map(cells)])),
    figures: Object.fromEntries([...document.querySelectorAll("svg[role=img]")].map((svg) => [svg.querySelector("title").textContent, svg.querySelector("desc").textContent])),
    notices: [...document.querySelectorAll(".notice")].map((notice) => notice.textContent),
    samples: [...document.querySelectorAll("pre")].map((pre) => pre.textContent),
    runs: [...document.querySelectorAll("#run option")].map((option) => option.value),
    injected: document.querySelectorAll("main script, main img, main iframe, main a[href^=javascript]").length,
    scrollWidth: document.documentElement.scrollWidth,
    innerWidth,
    background: style.backgroundColor,
    color: style.color,
  };
}

function focused() {
  const element = document.activeElement;
  const ring = getComputedStyle(element).outlineStyle;
  return { name: element.id || element.className || element.tagName.toLowerCase(), text: element.textContent.slice(0, 60), ring };
}

const { browser, problems } = await launch();
const findings = [];
if (browser) {
  for (const each of visits) findings.push(await visit(browser, each));
  await browser.close();
}
process.stdout.write(JSON.stringify({ problems: browser ? [] : problems, findings }));
