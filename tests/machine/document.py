# SPDX-License-Identifier: Apache-2.0
"""docs/deploy.md as commands and files, so that what is tested is what the page says."""

import os
import re

from machine import testbed

PAGE = os.path.join(testbed.ROOT, "docs/deploy.md")


def section(heading):
    """The text below a heading, up to the next one."""
    with open(PAGE, encoding="utf-8") as file:
        parts = re.split(r"^#+ (.*)\n", file.read(), flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2]))
    if heading not in sections:
        raise AssertionError(f"docs/deploy.md has no heading `{heading}'; it has {list(sections)}")
    return sections[heading]


def blocks(heading):
    """The indented blocks below a heading."""
    found = re.findall(r"(?:^    .*\n)+", section(heading), re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in found]


def block(heading, holds):
    """The one block below a heading that has a text in it."""
    fitting = [text for text in blocks(heading) if holds in text]
    if len(fitting) != 1:
        raise AssertionError(f"docs/deploy.md, {heading}: {len(fitting)} blocks have `{holds}'")
    return fitting[0]
