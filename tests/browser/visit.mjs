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

async function visit(browser, { url, cookie, width = 1280, height = 900, scheme = "light", frame, open, choose, slow, follow, tabs = 0, screenshot, full = false }) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme });
  if (cookie) await context.addCookies([{ name: "_token", value: cookie, url: new URL(url).origin }]);
  const page = await context.newPage();
  const found = { console: [], requests: [], dialogs: 0 };
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && found.console.push(message.text()));
  page.on("pageerror", (error) => found.console.push(error.message));
  page.on("dialog", (dialog) => { found.dialogs += 1; dialog.dismiss(); });
  page.on("request", (request) => found.requests.push(request.url()));
  let release = () => {};
  if (slow) { // one panel that does not answer before the others were seen
    const held = new Promise((resolve) => { release = resolve; });
    await page.route(`**/api/${slow}`, async (route) => { await held; await route.continue(); });
  }
  const response = await page.goto(url, { timeout: 60_000 });
  found.status = response.status();
  if (found.status === 200) {
    if (frame) await page.waitForSelector(`iframe[title="${frame}"]`, { timeout: 60_000 });
    const content = frame ? await (await page.$(`iframe[title="${frame}"]`)).contentFrame() : page;
    if (slow) {
      await content.waitForFunction((held) => [...document.querySelectorAll("#flow, #lag, #health, #quarantine, #answers")].every((box) => box.id === held || box.childElementCount), slow, { timeout: 20_000 });
      found.early = await content.evaluate(seen);
      release();
    }
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
    if (follow) {
      await content.locator(follow).first().click();
      await page.waitForURL((reached) => String(reached) !== url, { timeout: 60_000 });
      found.reached = page.url();
    }
  }
  await context.close();
  return found;
}

// These two run in the page.
function seen() {
  const cells = (row) => [...row.children].map((cell) => cell.textContent);
  const style = getComputedStyle(document.body);
  const rgba = (colour) => { const [r, g, b, a = 1] = colour.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0]; return [r, g, b, a]; };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
  const luminance = (colour) => colour.slice(0, 3).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  function behind(element) {
    const box = element.parentElement?.querySelector(":scope > rect.cell, :scope > rect.box");
    for (let up = element; up; up = up.parentElement) {
      const back = rgba(getComputedStyle(up).backgroundColor);
      if (!up.closest("svg") && back[3] === 1) {
        if (!box || element.tagName !== "text") return back;
        const fill = getComputedStyle(box);
        return over([...rgba(fill.fill).slice(0, 3), Number(fill.fillOpacity)], back);
      }
    }
    return [255, 255, 255];
  }
  // Texts below what WCAG asks for at level AA: 4.5 to 1, 3 to 1 for large ones.
  function faint(element) {
    const styled = getComputedStyle(element);
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.getClientRects().length || ["TITLE", "DESC", "SCRIPT", "STYLE", "OPTION"].includes(element.tagName.toUpperCase())) return null;
    const [text, back] = [rgba(element.tagName === "text" ? styled.fill : styled.color), behind(element)].map(luminance);
    const contrast = (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
    const size = parseFloat(styled.fontSize);
    const least = size >= 24 || (size >= 18.66 && Number(styled.fontWeight) >= 700) ? 3 : 4.5;
    return contrast < least ? `${contrast.toFixed(2)} ${element.tagName} ${element.textContent.trim().slice(0, 40)}` : null;
  }
  return {
    faint: [...document.body.querySelectorAll("*")].map(faint).filter(Boolean),
    links: Object.fromEntries([...document.querySelectorAll("main a[href]")].map((a) => [a.textContent, a.getAttribute("href")])),
    red: [...document.querySelectorAll("rect.box.bad")].map((box) => box.parentElement.querySelector(".name").textContent),
    text: document.body.innerText,
    tiles: Object.fromEntries([...document.querySelectorAll(".tile")].map((tile) => [tile.querySelector("h3").textContent, tile.innerText])),
    tables: Object.fromEntries([...document.querySelectorAll("table")].map((table) => [table.caption.textContent, [...table.querySelectorAll("tr")].map(cells)])),
    figures: Object.fromEntries([...document.querySelectorAll("svg[role=img]")].map((svg) => [svg.querySelector("title").textContent, svg.querySelector("desc").textContent])),
    notices: [...document.querySelectorAll(".notice")].map((notice) => notice.textContent),
    samples: [...document.querySelectorAll("pre")].map((pre) => pre.textContent),
    runs: [...document.querySelectorAll("#run option")].map((option) => option.value),
    injected: document.querySelectorAll("main script, main img, main iframe, main a[href^=javascript]").length,
    wide: [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll")).map((e) => `${e.tagName} ${e.className} ${e.textContent.slice(0, 40)}`).slice(0, 12),
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
