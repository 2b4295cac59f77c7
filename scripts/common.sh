# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What scripts/demo, scripts/test and scripts/bench share: words, checks and builds. Sourced by bash.

me=scripts/$(basename "$0")

say() { printf '\n== %s\n' "$*"; }

fail() {
    printf '%s: %s\n' "$me" "$*" >&2
    exit 1
}

# The commands make network namespaces and TAP ports.
check_machine() {
    [ "$(id -u)" = 0 ] ||
        fail "must run as root, to create network namespaces and TAP ports."
    [ -c /dev/net/tun ] ||
        fail "needs /dev/net/tun, the kernel's TAP device, which is missing here: load it" \
            "(modprobe tun), or give it to the container (--device /dev/net/tun)."
}

# Asked once the tools are installed: a container may have the device and yet lack the rights.
check_namespaces() {
    local probe=weft-probe-$$ reason
    reason=$(ip netns add "$probe" 2>&1 && inside "$probe" ip tuntap add probe mode tap 2>&1) || {
        ip netns del "$probe" 2>/dev/null
        fail "cannot create network namespaces and TAP ports here ($reason): this needs the capabilities" \
            "CAP_SYS_ADMIN and CAP_NET_ADMIN."
    }
    ip netns del "$probe"
}

# inside NAMESPACE COMMAND...: unlike `ip netns exec` it leaves the mounts alone, so that it works
# in a chroot.
inside() {
    local namespace=$1
    shift
    nsenter --net="/run/netns/$namespace" "$@"
}

# build PRESET [TARGET...]: configures (what is installed now may not have been the last time) and
# builds what has changed.
build() {
    local preset=$1
    shift
    cmake --preset "$preset" --log-level=WARNING >/dev/null ||
        fail "cmake cannot configure the $preset build; see its messages above."
    cmake --build --preset "$preset" -j "$(nproc)" ${1:+--target "$@"} ||
        fail "the $preset build failed."
}
