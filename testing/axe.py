"""axe-core, which finds what hinders people with a disability, in a page of the browser."""

import shutil
import subprocess
import tarfile

VERSION = "4.14.1"
_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")

# What is Streamlit 1.67's own and out of reach, as the selector of what each rule then looks at.
_SELECTORS = {
    "list": "ul:not([data-testid=stSidebarNavItems]), ol",  # the sections of the menu are <div> in a <ul>
    "listitem": "li:not([data-testid=stSidebarNavItems] li)",
}

_AUDIT = """async ({tags, selectors, also}) => {
    axe.configure({rules: Object.entries(selectors).map(([id, selector]) => ({id, selector}))});
    const rules = Object.fromEntries(also.map(rule => [rule, {enabled: true}]));
    const {violations} = await axe.run({runOnly: tags, rules, resultTypes: ['violations']});
    return violations.flatMap(({id, nodes}) => nodes.map(({html, any, all, none}) =>
        `${id}: ${html.slice(0, 200)} (${[...any, ...all, ...none].map(check => check.message).join('; ')})`));
}"""


def download(folder):
    """The script of axe-core from npm's registry; None, with the reason, if it cannot be had: (script, reason)."""
    if shutil.which("npm") is None:
        return None, "needs npm, for axe-core"
    command = ["npm", "pack", "--prefer-offline", "--silent", "--pack-destination", str(folder), f"axe-core@{VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode:
        return None, f"axe-core cannot be had from npm: {done.stderr.strip()[-200:]}"
    with tarfile.open(folder / f"axe-core-{VERSION}.tgz") as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode(), ""


def violations(page, script):
    """What on the page breaks WCAG 2.1, levels A and AA, or skips a level of headings: a line for each element.

    The page is made as high as its content first, because axe judges no contrast outside of the view.
    """
    height = page.get_by_test_id("stMainBlockContainer").evaluate("block => block.scrollHeight")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height + 80})
    page.add_style_tag(content="[data-stale=true] { opacity: 1 !important; transition: none !important; }")  # a rerun
    page.evaluate(script)
    return page.evaluate(_AUDIT, {"tags": _RULES, "selectors": _SELECTORS, "also": ["heading-order"]})
