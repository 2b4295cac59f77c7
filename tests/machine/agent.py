#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs inside a guest: does what the test asks for over a virtio-serial port, one line of JSON each way.

{"id", "run": SCRIPT, "timeout": SECONDS} is answered by {"id", "status", "output"}; {"id", "write": PATH, "text"} by
{"id", "status": 0}. Requests run side by side. The first line of each boot is {"hello": BOOT_ID}.
"""

import json
import os
import subprocess
import threading
import time

PORT = "/dev/virtio-ports/weft.agent"


def serve(request):
    if "write" in request:
        with open(request["write"], "w", encoding="utf-8") as file:
            file.write(request["text"])
        return {"status": 0, "output": ""}
    try:
        done = subprocess.run(
            ["/bin/bash", "-c", request["run"]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=request["timeout"],
            check=False,
        )
        return {"status": done.returncode, "output": done.stdout.decode(errors="replace")}
    except subprocess.TimeoutExpired as late:
        output = (late.stdout or b"").decode(errors="replace")
        return {"status": 124, "output": f"{output}\nnot done after {request['timeout']} s"}


def main():
    while not os.path.exists(PORT):  # udev has not come so far
        time.sleep(0.1)
    port = os.open(PORT, os.O_RDWR)
    lock = threading.Lock()

    def answer(what):
        line = json.dumps(what).encode() + b"\n"
        with lock:
            while line:
                line = line[os.write(port, line) :]

    def handle(request):
        try:
            reply = serve(request)
        except Exception as error:  # the test must hear of it
            reply = {"status": 125, "output": str(error)}
        answer({"id": request["id"], **reply})

    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        answer({"hello": file.read().strip()})
    rest = b""
    while True:
        data = os.read(port, 65536)
        if not data:
            time.sleep(0.1)  # nobody at the other end
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            threading.Thread(target=handle, args=(json.loads(line),), daemon=True).start()


main()
