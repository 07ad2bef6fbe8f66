"""More pairs from documentation packages of Debian: the sections of their HTML pages, heading -> text.

Out, in WORK/collected: `debian_docs.jsonl` (`query`, `positive`, `source`) and `manifest.json` (package, version,
licences as its copyright file names them, sections). The packages are of domains that the shared pairs lack. Needs
`apt-get` and `dpkg-deb` on a Debian 12; on another system this stage writes nothing, and training goes without.

Usage: collect.py [--work DIR]
"""

import argparse
import gzip
import re
import shutil
import subprocess
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

import common

# Package -> words that a path must have, so that the English manual is taken and lists of symbols are not.
PACKAGES = {
    "apache2-doc": "/en/",
    "aptitude-doc-en": "",
    "buildbot-doc": "/html/",
    "csound-doc": "/html/",
    "debian-faq": ".en.",
    "debian-policy": "policy.html/",
    "debian-reference-en": ".en.",
    "developers-reference": "",
    "git-doc": "",
    "gnucash-docs": "-en/",
    "gnuplot-doc": "",
    "grass-doc": "",
    "harden-doc": "/en-US/",
    "imagemagick-6-doc": "/www/",
    "installation-guide-amd64": "/en/",
    "kicad-doc-en": "",
    "lilypond-doc-html": "",
    "maxima-doc": "",
    "postgresql-doc-15": "",
    "povray-doc": "",
    "proftpd-doc": "",
    "python-django-doc": "",
    "python3.11-doc": "/html/",
    "rsyslog-doc": "",
    "shorewall-doc": "",
    "sqlite3-doc": "",
    "varnish-doc": "",
}
MAX_SECTIONS = 500
MIN_WORDS, MAX_WORDS = 40, 220
HEADINGS = {"h1", "h2", "h3", "h4", "h5"}
# What is no text of the page's own.
FURNITURE = (
    "script, style, nav, header, footer, aside, noscript, form, table.navigation, .navheader, .navfooter, "
    ".sphinxsidebar, "
    ".related, .headerlink, .toc, .contents, .TOC, .nav-tree, .topnav, .breadcrumbs, #toc, .footer, .header, "
    ".navigation, .sidebar"
)
BLOCKS = {"p", "li", "dd", "dt", "pre", "td", "div", "tr", "blockquote", "br"}
# Headings over text that many pages have.
EMPTY_HEADING = re.compile(
    r"^(name|synopsis|description|introduction|overview|see also|notes?|examples?|options?|authors?|index|contents|"
    r"summary|usage|"
    r"parameters?|returns?|references?|copyright.*|licen[cs]e.*|credits?|table of .*|chapter \w+\.?|.*\bindex|"
    r".*module contents|"
    r"bug ?fixes|bugs fixed|bugs?|history|compatibility|syntax|performance|initialization|navigation|.*release "
    r"notes.*|.*changes? in.*|version .*)$",
    re.I,
)
ENGLISH = set("the of and to in is a for that with as are be this by on or it an from which can not you".split())
NUMBER = re.compile(r"^((chapter|appendix|section|part)\s+)?([0-9A-Z]{0,2}\d*(\.\d+)*\.?)\s+(?=[A-Z‘“\"])", re.I)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--work", type=Path, default=common.WORK)
    options = arguments.parse_args()
    folder = options.work / "collected"
    pairs_file, manifest_file = folder / "debian_docs.jsonl", folder / "manifest.json"
    if common.done(pairs_file, manifest_file):
        return
    pairs, manifest = [], []
    if shutil.which("apt-get") and shutil.which("dpkg-deb"):
        for package, part in PACKAGES.items():
            root = unpack(package, options.work / "packages")
            if root is None:
                print(f"{package}: apt has no such package here; left out")
                continue
            found = best_sections(root, part)
            manifest.append(
                {
                    "package": package,
                    "version": version(root),
                    "licences": licences(root, package),
                    "sections": len(found),
                }
            )
            pairs += [
                {"query": heading, "positive": text, "source": "debian_docs", "package": package}
                for heading, text in found
            ]
            print(f"{package}: {len(found)} sections, {', '.join(manifest[-1]['licences'])}")
    else:
        print("no apt-get or dpkg-deb: nothing is collected")
    common.write_jsonl(pairs_file, pairs)
    common.write_json(manifest_file, manifest)
    common.write_json(common.FIGURES / "collected.json", manifest)


def unpack(package, folder):
    """The package's files as a folder, fetched by apt; None where apt does not have it."""
    root = folder / package
    if root.exists():
        return root
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", "--quiet", package], cwd=folder, check=False, capture_output=True)
    archive = next(folder.glob(f"{package}_*.deb"), None)
    if archive is None:
        return None
    part = folder / f"{package}.part"
    subprocess.run(["dpkg-deb", "-x", archive, part], check=True)
    (part / "VERSION").write_text(archive.name.split("_")[1].replace("%3a", ":"), encoding="utf-8")
    part.rename(root)
    return root


def version(root):
    return (root / "VERSION").read_text(encoding="utf-8")


def licences(root, package):
    """The short names in the package's copyright file."""
    for path in root.glob("usr/share/doc/*/copyright"):
        text = path.read_text(encoding="utf-8", errors="replace")
        names = sorted({name.strip() for name in re.findall(r"^License:[ \t]*(\S.{0,40})$", text, re.M)})
        return names or ["see the copyright file of the package"]
    return [f"see the copyright file of the package {package} depends on"]


def best_sections(root, part):
    """Up to MAX_SECTIONS (heading, text), spread evenly over the package's pages."""
    found, seen = [], set()
    pages = sorted(
        path
        for path in root.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and re.search(r"\.html?(\.en)?(\.gz)?$", path.name)
        and part in str(path) + "/"
    )
    for page in pages:
        for heading, text in sections(read(page)):
            key = common.normalised(text)
            if key not in seen:
                seen.add(key)
                found.append((heading, text))
    step = max(1.0, len(found) / MAX_SECTIONS)
    return [found[int(number * step)] for number in range(int(len(found) / step))]


def read(page):
    content = gzip.open(page).read() if page.suffix == ".gz" else page.read_bytes()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def sections(html):
    """(heading, text) of every section with enough prose; the text of a section ends where the next heading begins."""
    tree = LexborHTMLParser(html)
    if tree.body is None:
        return
    for node in tree.css(FURNITURE):
        node.decompose()
    heading, words, in_heading = None, [], None
    for node in tree.body.traverse(include_text=True):
        if node.tag in HEADINGS:
            yield from usable(heading, words)
            heading, words, in_heading = tidy(node.text()), [], node
        elif node.tag == "-text" or node.tag == "_text":
            if heading is not None and not inside(node, in_heading):
                words.append(node.text_content or "")
        elif node.tag in BLOCKS:
            words.append(" ")
    yield from usable(heading, words)


def inside(node, heading):
    """Whether a text stands in the heading itself."""
    parent = node.parent
    while parent is not None and parent.tag not in BLOCKS:
        if parent.mem_id == heading.mem_id:
            return True
        parent = parent.parent
    return False


def usable(heading, parts):
    """The section, if its heading says something and its text is mostly prose."""
    if heading is None:
        return
    text = " ".join("".join(parts).replace("¶", " ").split())
    cut = " ".join(text.split()[:MAX_WORDS])
    letters = sum(character.isalpha() or character.isspace() for character in cut)
    heading = NUMBER.sub("", heading).strip()
    if (
        2 <= len(heading.split()) <= 12
        and not text.startswith("Copyright")
        and not EMPTY_HEADING.match(heading)
        and len(text.split()) >= MIN_WORDS
        and letters > 0.85 * len(cut)
        and sum(word in ENGLISH for word in common.words(cut)) > 0.2 * len(cut.split())
        and re.search(r"[a-z]\. ", text)
    ):
        yield heading, cut


def tidy(text):
    return " ".join(text.replace("¶", " ").split()).strip(" .:")


if __name__ == "__main__":
    main()
