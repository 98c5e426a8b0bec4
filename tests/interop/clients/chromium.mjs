// A person at Chromium. Arguments: Chromium's program, the folder for screenshots.
// Standard input: a step a line, as JSON; standard output: a line for each:
//     {"overflows": the widths at which the page is wider than its window, "error"?}
//
//   {"go": address}                {"fill": [label, text]}      {"press": the button's or link's text}
//   {"see": text}                  waits until it is there, in whatever tab is in front
//   {"shoot": name}                NAME-1280.png and NAME-375.png, as wide as a desk and a telephone
//   {"again": true}                the last address in another tab      {"back": true}  to the first tab
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { chromium } from 'playwright-core';

const [program, screenshots] = process.argv.slice(2);
const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'chromium-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: program,
  args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    // oidc-provider's pages ask for a font of a stranger's.
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  ],
});
browser.setDefaultTimeout(20_000);

let tab = browser.pages()[0];
let last;
browser.on('request', (request) => {
  if (request.isNavigationRequest() && request.frame().parentFrame() === null) last = request.url();
});

const STEPS = {
  go: async (address) => void (await tab.goto(address)),
  // As people find them: by what stands beside or in them.
  fill: ([label, text]) => tab.getByLabel(label, { exact: true }).or(tab.getByPlaceholder(label)).fill(text),
  // Without waiting for what comes: it may be meant to hang.
  press: (text) =>
    tab.getByRole('button', { name: text }).or(tab.getByRole('link', { name: text })).click({ noWaitAfter: true }),
  see: (text) => tab.getByText(text).first().waitFor(),
  shoot: async (name) => {
    const overflows = [];
    for (const width of [1280, 375]) {
      await tab.setViewportSize({ width, height: 800 });
      await tab.screenshot({ path: path.join(screenshots, `${name}-${width}.png`), fullPage: true });
      if (await tab.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)) overflows.push(width);
    }
    return { overflows };
  },
  again: async () => {
    tab = await browser.newPage();
    // Under another name: Chromium's cache makes a second request for the same wait for the first.
    return STEPS.go(`${last}&again`);
  },
  back: async () => {
    await tab.close();
    tab = browser.pages()[0];
  },
};

async function take(step) {
  const [[name, value]] = Object.entries(step);
  try {
    return { overflows: [], ...(await STEPS[name](value)) };
  } catch (error) {
    const text = await tab.innerText('body', { timeout: 1000 }).catch(() => '');
    return { overflows: [], error: `${error.message}; the page says: ${text}` };
  }
}

console.log('READY');
for await (const line of readline.createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await take(JSON.parse(line))));
}
await browser.close();
fs.rmSync(profile, { recursive: true, force: true });
