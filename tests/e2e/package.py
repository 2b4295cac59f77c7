# SPDX-License-Identifier: Apache-2.0
"""Installs the build that is tested into a directory, and builds plugins against what was installed."""

import os
import subprocess

import testbed

BUILD = os.path.dirname(testbed.WEFTD)
PLUGINS = "lib/x86_64-linux-gnu/weft/plugins"  # below the prefix


def run(*words, **options):
    done = subprocess.run(
        words,
        text=True,
        timeout=100,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        **options,
    )
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}:\n{done.stdout}")
    return done.stdout


def install(root, prefix="/usr"):
    """Installs below `root`, as for a package; returns where the prefix is there."""
    run("cmake", "--install", BUILD, "--prefix", prefix, env={**os.environ, "DESTDIR": root})
    return root + prefix


def add_plugins(source, prefix, directory):
    """Builds a project of plugins (a path in the tree) in a directory and installs it into the prefix."""
    run(
        *("cmake", "-G", "Ninja", "-S", os.path.join(testbed.ROOT, source), "-B", directory),
        *(f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_INSTALL_PREFIX={prefix}"),
    )
    run("cmake", "--build", directory, "-j", "2")
    run("cmake", "--install", directory)
