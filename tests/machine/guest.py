# SPDX-License-Identifier: Apache-2.0
"""A machine with PCI ports: QEMU, what its monitor does, and the agent inside.

It is emulated in software (TCG), so that it runs wherever QEMU does; the IOMMU is Intel's, with interrupt remapping, as
vfio-pci wants it. Each port sits in a PCIe root port of its own, so that its address is 0000:0N:00.0 and it can be plugged.
"""

import contextlib
import ctypes
import fcntl
import itertools
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time

QEMU = "qemu-system-x86_64"
# no_timer_check: a guest that the host lets wait is no broken one.
BASICS = "root=/dev/vda rw console=ttyS0 panic=-1 no_timer_check quiet"
BOOT_WITHIN = 240.0  # seconds, on two cores that others use as well
TUNSETIFF = 0x400454CA
TAP, NO_PI, VNET_HDR, MULTI_QUEUE = 0x0002, 0x1000, 0x4000, 0x0100


class Port:
    """A PCI port `kind` (e1000e, vmxnet3, virtio-net-pci), its other end a TAP in a namespace of the host."""

    def __init__(self, name, kind, namespace, queues=1, plugged=True):
        self.name, self.kind, self.namespace, self.queues, self.plugged = name, kind, namespace, queues, plugged
        self.tap = name
        self.slot = None  # the machine gives it one
        self.mac = None

    @property
    def address(self):
        return f"0000:{self.slot:02x}:00.0"

    def open_tap(self):
        """The TAP's files, one for each pair of queues."""
        files = []
        flags = TAP | NO_PI | VNET_HDR | (MULTI_QUEUE if self.queues > 1 else 0)
        with self.namespace.inside():
            for _ in range(self.queues):
                files.append(os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK))
                fcntl.ioctl(files[-1], TUNSETIFF, struct.pack("16sH22x", self.tap.encode(), flags))
        return files

    def device(self):
        """The device as QEMU's properties."""
        properties = {
            "driver": self.kind,
            "id": self.name,
            "netdev": f"net-{self.name}",
            "bus": f"slot{self.slot}",
            "mac": self.mac,
        }
        if self.kind == "virtio-net-pci":
            properties.update({"disable-legacy": "on", "iommu_platform": "on", "ats": "on"})
            if self.queues > 1:
                properties.update({"mq": "on", "vectors": str(2 * self.queues + 2)})
        return properties


class Monitor:
    """QEMU's machine protocol."""

    def __init__(self, connection):
        self._socket = connection
        self._socket.settimeout(30)
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self._lines.readline()
        self("qmp_capabilities")

    def __call__(self, command, **arguments):
        request = {"execute": command.replace("_", "-") if command.startswith("query") else command}
        if arguments:
            request["arguments"] = arguments
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            reply = json.loads(self._lines.readline())
            if "error" in reply:
                raise AssertionError(f"{command}: {reply['error']['desc']}")
            if "return" in reply:
                return reply["return"]

    def close(self):
        self._lines.close()
        self._socket.close()


class Guest:
    """One machine, from power on until close()."""

    numbers = itertools.count()  # so that no two have a MAC address in common

    def __init__(self, root, disk, ports=(), arguments="", cpus=2, memory="1536M", slots=None):
        self.number = next(Guest.numbers)
        self.directory = tempfile.mkdtemp(prefix="weft-machine-")
        self.console = os.path.join(self.directory, "console")
        self.ports = list(ports)
        self.process = self.monitor = self._agent = None
        self._rest, self._replies, self._next = b"", {}, 0
        self.boots = 0
        try:
            self._start(root, disk, arguments, cpus, memory, slots or len(self.ports))
            self.wait_boot()
        except BaseException:
            self.close()
            raise

    def _start(self, root, disk, arguments, cpus, memory, slots):
        with contextlib.ExitStack() as files:
            words = self._words(root, disk, arguments, cpus, memory)
            passed = []
            for slot in range(1, slots + 1):
                words += ["-device", f"pcie-root-port,id=slot{slot},bus=pcie.0,chassis={slot}"]
            for slot, port in enumerate(self.ports, 1):
                port.slot = slot
                port.mac = f"52:54:00:{self.number:02x}:{slot:02x}:01"
                taps = port.open_tap()
                for file in taps:
                    files.callback(os.close, file)
                passed += taps
                numbers = ":".join(map(str, taps))
                which = f"fds={numbers}" if port.queues > 1 else f"fd={numbers}"
                words += ["-netdev", f"tap,id=net-{port.name},vhost=off,{which}"]
                if port.plugged:
                    words += ["-device", ",".join(f"{k}={v}" for k, v in port.device().items()).replace("driver=", "", 1)]
            self.process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                pass_fds=passed,
                preexec_fn=_die_with_the_test,
            )
        self._agent = self._connect("agent")
        self.monitor = Monitor(self._connect("monitor"))

    def _words(self, root, disk, arguments, cpus, memory):
        return (
            f"nice -n 5 {QEMU} -nodefaults -no-user-config -display none -accel tcg,thread=multi -cpu max,la57=off"
            f" -M q35,kernel-irqchip=split -smp {cpus} -m {memory}"
            f" -device intel-iommu,intremap=on,caching-mode=on,device-iotlb=on"
            f" -kernel {root.kernel} -initrd {root.initrd}"
            f" -drive if=none,format=raw,cache=unsafe,snapshot=on,id=root,file={disk}"
            f" -device virtio-blk-pci,drive=root,serial=weft-root"
            f" -device virtio-serial-pci -chardev socket,id=agent,path={self.directory}/agent,server=on,wait=off"
            f" -device virtserialport,chardev=agent,name=weft.agent"
            f" -serial file:{self.console} -qmp unix:{self.directory}/monitor,server=on,wait=off"
        ).split() + ["-append", f"{BASICS} {arguments}"]

    def _connect(self, name):
        """A socket to one of QEMU's, which listens to it soon."""
        deadline = time.monotonic() + 30
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(os.path.join(self.directory, name))
                return connection
            except OSError:
                connection.close()
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = self.process.stderr.read() if self.process.poll() is not None else ""
                raise AssertionError(f"QEMU does not start: {said}")
            time.sleep(0.05)

    def _take(self, wanted, within):
        """Reads what the agent says until wanted() is true of what is known."""
        deadline = time.monotonic() + within
        while not wanted():
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._agent], [], [], left)[0]:
                raise AssertionError(f"nothing from the guest for {within:.0f} s; its console ends with:\n{self.log()}")
            data = self._agent.recv(65536)
            if not data:
                raise AssertionError(f"QEMU has ended: {self.process.stderr.read()}")
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                with contextlib.suppress(ValueError):  # cut off by a reboot
                    reply = json.loads(line)
                    if "hello" in reply:
                        self.boots += 1
                    else:
                        self._replies[reply["id"]] = reply

    def wait_boot(self, boots=1):
        """Until it has booted so many times."""
        self._take(lambda: self.boots >= boots, BOOT_WITHIN)

    def _ask(self, **what):
        self._next += 1
        self._agent.sendall(json.dumps({"id": self._next, **what}).encode() + b"\n")
        return self._next

    def begin(self, script, timeout=60):
        """Starts a script of bash; end() waits for it."""
        return self._ask(run=script, timeout=timeout), script, timeout

    def end(self, begun, check=True):
        """The script's output; with check=False its (status, output)."""
        number, script, timeout = begun
        self._take(lambda: number in self._replies, timeout + 10)
        reply = self._replies.pop(number)
        if not check:
            return reply["status"], reply["output"]
        if reply["status"] != 0:
            raise AssertionError(f"`{script}' exited with {reply['status']}:\n{reply['output']}")
        return reply["output"]

    def run(self, script, timeout=60, check=True):
        return self.end(self.begin(script, timeout), check)

    def write(self, path, text):
        self.end((self._ask(write=path, text=text), f"write {path}", 10))

    def log(self):
        with open(self.console, encoding="utf-8", errors="replace") as file:
            return file.read()[-4000:]

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()
            self.process.stderr.close()
        for end in (self.monitor, self._agent):
            if end is not None:
                end.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def _die_with_the_test():
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
