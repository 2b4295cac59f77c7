# SPDX-License-Identifier: Apache-2.0
"""The guests' root: a small Debian made once and cached outside of the tree, and weft on a copy of it.

The cache is ${WEFT_MACHINE_CACHE:-${XDG_CACHE_HOME:-/var/cache}/weft-machine}; a root is named by a hash of its recipe,
which is this file's constants, so that a changed recipe makes a new one. What changes more often, weft itself and the
agent, is put onto a copy of it for each run.
"""

import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
MIRROR = os.environ.get("WEFT_MACHINE_MIRROR", "http://deb.debian.org/debian")
MAKE_WITHIN = float(os.environ.get("WEFT_MACHINE_PATIENCE", "240"))  # seconds for making a root

SUITE = "bookworm"
# What docs/deploy.md installs in the end, what the release build is linked with, and the tests' own.
DOCUMENTED = ["dpdk", "pciutils", "driverctl"]
LINKED = [
    "ibverbs-providers",
    "libatomic1",
    "libboost-context1.74.0",
    "libfdt1",
    "libfmt9",
    "libipsec-mb1",
    "libisal2",
    "libjansson4",
    "libnuma1",
    "libpcap0.8",
    "libreadline8",
    "libspdlog1.10",
    "libxdp1",
    "libyaml-cpp0.7",
]
PACKAGES = [
    "linux-image-amd64",
    "systemd-sysv",
    "udev",
    "kmod",
    "iproute2",
    "iputils-ping",
    "iperf3",
    *DOCUMENTED,
    *LINKED,
]
# Nothing that these guests have no use for: half of the kernel's modules, and texts.
LEFT_OUT = [
    "/usr/share/man/*",
    "/usr/share/doc/*",
    "/usr/share/locale/*",
    "/usr/share/info/*",
    *(f"/lib/modules/*/kernel/drivers/{kind}/*" for kind in ("gpu", "media", "infiniband", "staging", "iio", "hid")),
    "/lib/modules/*/kernel/drivers/net/wireless/*",
    "/lib/modules/*/kernel/sound/*",
]
INITRAMFS = "MODULES=list\nCOMPRESS=gzip\n"
MODULES = "virtio_pci\nvirtio_blk\next4\n"
UNIT = """[Unit]
Description=what the test asks for
[Service]
ExecStart=/usr/bin/python3 /usr/lib/weft-machine/agent.py
[Install]
WantedBy=multi-user.target
"""
# Slow, and nothing to these tests.
MASKED = ["apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
          "e2scrub_reap.service", "getty-static.service", "getty@tty1.service", "dpdk.service", "modprobe@dm_mod.service",
          "modprobe@loop.service", "modprobe@drm.service", "modprobe@fuse.service", "systemd-timesyncd.service"]
SIZE = "1500M"  # of the disk, which is sparse

RECIPE = [SUITE, PACKAGES, LEFT_OUT, INITRAMFS, MODULES, UNIT, MASKED, SIZE]


class Unavailable(Exception):
    """Why there is no root: one sentence."""


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or "/var/cache"
    return os.environ.get("WEFT_MACHINE_CACHE") or os.path.join(base, "weft-machine")


class Root:
    """The files that QEMU boots."""

    def __init__(self, directory):
        self.kernel = os.path.join(directory, "vmlinuz")
        self.initrd = os.path.join(directory, "initrd.img")
        self.disk = os.path.join(directory, "root.img")


def get():
    """The root of this recipe, made if there is none yet; Unavailable says why it cannot be."""
    name = hashlib.sha256(repr(RECIPE).encode()).hexdigest()[:16]
    directory = os.path.join(cache(), name)
    os.makedirs(cache(), exist_ok=True)
    with open(os.path.join(cache(), "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one makes it, the others wait
        if not os.path.exists(directory):
            if shutil.which("mmdebstrap") is None:
                raise Unavailable("The guests' root is made by mmdebstrap, which is not installed.")
            with tempfile.TemporaryDirectory(dir=cache(), prefix="making-") as work:
                _make(work)
                os.rename(os.path.join(work, "finished"), directory)
            _forget_others(directory)
    return Root(directory)


def main():
    try:
        print(f"The guests' root is in {os.path.dirname(get().disk)}.")
    except Unavailable as why:
        sys.exit(str(why))


def _forget_others(kept):
    for other in glob.glob(os.path.join(cache(), "*")):
        if os.path.isdir(other) and other != kept:
            shutil.rmtree(other, ignore_errors=True)


def _write(root, path, text):
    path = os.path.join(root, path.lstrip("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _make(work):
    root, finished = os.path.join(work, "root"), os.path.join(work, "finished")
    conf = os.path.join(work, "conf")
    _write(conf, "etc/initramfs-tools/conf.d/machine", INITRAMFS)
    _write(conf, "etc/initramfs-tools/modules", MODULES)
    _write(conf, "etc/systemd/system/machine-agent.service", UNIT)
    _write(conf, "etc/fstab", "/dev/disk/by-id/virtio-weft-root / ext4 defaults 0 1\n")
    command = [
        "mmdebstrap",
        "--mode=root",
        "--quiet",
        "--variant=minbase",
        *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
        "--dpkgopt=force-unsafe-io",
        "--dpkgopt=force-confold",
        "--aptopt=Acquire::Languages none",
        f"--include={','.join(PACKAGES)}",
        f"--essential-hook=sync-in {conf} /",
        "--customize-hook=systemctl --root=$1 enable machine-agent.service",
        f"--customize-hook=systemctl --root=$1 mask {' '.join(MASKED)}",
        "--customize-hook=passwd --root $1 -d root",
        "--customize-hook=echo router >$1/etc/hostname",
        SUITE,
        root,
        MIRROR,
    ]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=MAKE_WITHIN, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"The guests' root was not made within {MAKE_WITHIN:.0f} s.") from None
    if done.returncode != 0:
        last = (done.stdout.strip().splitlines() or ["it says nothing"])[-1]
        raise Unavailable(f"The guests' root cannot be made from {MIRROR}: {last}")
    os.mkdir(finished)
    built = Root(finished)
    for name, target in (("vmlinuz", built.kernel), ("initrd.img", built.initrd)):
        shutil.copyfile(os.path.realpath(os.path.join(root, name)), target)
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", root, built.disk, SIZE],
        stdout=subprocess.DEVNULL,
        check=True,
    )


def with_weft(root, disk, build):
    """Copies the root's disk and installs weft from a build directory on the copy, as for a package, and the agent."""
    subprocess.run(["cp", "--sparse=always", root.disk, disk], check=True)
    with tempfile.TemporaryDirectory(prefix="weft-machine-") as staging:
        subprocess.run(
            ["cmake", "--install", build, "--strip", "--prefix", "/usr"],
            env={**os.environ, "DESTDIR": staging},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        agent = os.path.join(staging, "usr/lib/weft-machine")
        os.makedirs(agent)
        shutil.copy(os.path.join(HERE, "agent.py"), agent)
        _add(disk, staging)


def _add(disk, directory):
    """Puts the files of a directory into a file system that nobody has mounted."""
    orders = []
    for path, folders, files in os.walk(directory):
        inside = "/" + os.path.relpath(path, directory).removeprefix(".")
        orders += [f"mkdir {os.path.join(inside, name)}" for name in folders]
        orders += [f"write {os.path.join(path, name)} {os.path.join(inside, name)}" for name in files]
    script = os.path.join(directory, "orders")
    with open(script, "w", encoding="utf-8") as file:
        file.write("\n".join(orders))
    subprocess.run(
        ["debugfs", "-w", "-f", script, disk], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
    )


if __name__ == "__main__":
    main()
