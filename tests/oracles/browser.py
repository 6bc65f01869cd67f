"""A page in headless Chromium: what a script finds on it, and what the console complains about."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
COMPLAINTS = """<script>
const complaints = [];
addEventListener("error", (event) => complaints.push(String(event.message)));
addEventListener("unhandledrejection", (event) => complaints.push(String(event.reason)));
for (const level of ["error", "warn"]) {
  console[level] = (...said) => complaints.push(said.join(" "));
}
</script>"""
ANSWER = """<script>
addEventListener("load", () => {
  let found;
  try { found = (() => { %s })(); } catch (problem) { complaints.push(String(problem)); }
  const answer = document.createElement("pre");
  answer.id = "answer";
  answer.textContent = JSON.stringify({ found, complaints });
  document.body.append(answer);
});
</script>"""


def chromium():
    """The path of the browser, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def visit(html: str, script: str, folder: Path, *, width: int = 1280, dark: bool = False):
    """What `script` returns on a page shown at this width, with the complaints.

    The page stands in a frame, since a window cannot be as narrow as a phone.
    """
    page = folder / "page.html"
    page.write_text(html.replace("<head>", "<head>" + COMPLAINTS, 1), encoding="utf-8")
    frame = folder / "frame.html"
    inside = "const page = document.querySelector('iframe').contentWindow; "
    inside += "complaints.push(...page.eval('complaints')); "
    inside += f"return page.eval({json.dumps('(() => {' + script + '})()')});"
    frame.write_text(
        f'<!DOCTYPE html><head>{COMPLAINTS}</head><body style="margin:0">'
        f'<iframe src="page.html" style="width:{width}px;height:900px;border:0"></iframe>'
        + ANSWER
        % inside,
        encoding="utf-8",
    )
    command = [str(chromium()), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--allow-file-access-from-files", "--enable-logging=stderr"]
    command += [f"--user-data-dir={folder / 'profile'}", f"--window-size={max(width, 600)},900"]
    command += ["--blink-settings=preferredColorScheme=0"] if dark else []
    done = subprocess.run(
        [*command, frame.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    answer = re.search(r'<pre id="answer">(.*?)</pre>', done.stdout, re.S)
    assert answer, f"the page did not answer:\n{done.stderr[-2000:]}"
    said = json.loads(unescape(answer[1]))
    said["complaints"] += re.findall(r".*:CONSOLE.*", done.stderr)
    return said.get("found"), said["complaints"]
