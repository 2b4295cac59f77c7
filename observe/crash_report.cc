// SPDX-License-Identifier: Apache-2.0
// Writes the crash report, in a signal handler.
#include "observe/crash_report.hh"

#include "base/net/headers.hh"
#include "graph/engine.hh"
#include "graph/init.hh"
#include "graph/process/process.hh"
#include "observe/program_symbols.hh"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <execinfo.h>
#include <fcntl.h>
#include <span>
#include <string_view>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace weft {

namespace {

constexpr std::array fatal_signals{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr size_t handler_stack_size = 128 * 1024; // unwinding takes the most of it
constexpr size_t header_bytes = 64;               // of the first packet that are printed

constinit thread_local const graph_thread* this_thread = nullptr;
constinit std::atomic<pid_t> reporter{0}; // the thread that writes the report
constinit std::array<int, 2> probe_pipe{-1, -1};
constinit program_symbols symbols;

// One line, put together without the C library's formatting, which may allocate. Words are cut off
// where it is full.
class line {
public:
    line& operator<<(std::string_view text) noexcept
    {
        const size_t fits = std::min(text.size(), text_.size() - 1 - size_);
        std::memcpy(text_.data() + size_, text.data(), fits);
        size_ += fits;
        return *this;
    }
    line& number(uint64_t value, unsigned base = 10, unsigned digits = 1) noexcept
    {
        std::array<char, 20> reversed;
        unsigned count = 0;
        for (; value != 0 || count < digits; value /= base)
            reversed[count++] = "0123456789abcdef"[value % base];
        std::reverse(reversed.data(), reversed.data() + count);
        return *this << std::string_view{reversed.data(), count};
    }
    line& address(const void* value) noexcept
    {
        return (*this << "0x").number(reinterpret_cast<uintptr_t>(value), 16);
    }
    // By the system call itself: sanitizers look at what write(2) is given.
    void print() noexcept
    {
        text_[size_++] = '\n';
        for (size_t at = 0; at < size_;) {
            const long written = syscall(SYS_write, STDERR_FILENO, text_.data() + at, size_ - at);
            if (written <= 0)
                return;
            at += static_cast<size_t>(written);
        }
        size_ = 0;
    }

private:
    std::array<char, 512> text_;
    size_t size_ = 0;
};

std::string_view name_of(int number) noexcept
{
    switch (number) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGILL:
        return "SIGILL";
    case SIGFPE:
        return "SIGFPE";
    case SIGABRT:
        return "SIGABRT";
    default:
        return "signal";
    }
}

// Memory that may not be there, copied through a pipe: the kernel answers EFAULT instead of a
// signal. Returns how many bytes of `to` are valid.
size_t read_memory(const void* from, std::span<std::byte> to) noexcept
{
    const size_t bytes = std::min<size_t>(to.size(), PIPE_BUF);
    const long written = syscall(SYS_write, probe_pipe[1], from, bytes);
    if (written <= 0)
        return 0;
    const long got = syscall(SYS_read, probe_pipe[0], to.data(), static_cast<size_t>(written));
    return got < 0 ? 0 : static_cast<size_t>(got);
}

template <class T>
bool read_object(const T* from, T& to) noexcept
{
    return read_memory(from, std::as_writable_bytes(std::span{&to, 1})) == sizeof(T);
}

void print_cause(int number, const siginfo_t& info, const void* instruction) noexcept
{
    line out;
    out << "weftd " << WEFT_VERSION << ": " << name_of(number);
    if (info.si_code <= 0)
        (out << " sent by process ").number(static_cast<uint64_t>(info.si_pid));
    else
        (out << " at address ").address(info.si_addr);
    (out << ", instruction at ").address(instruction);
    out.print();
}

void print_thread() noexcept
{
    line out;
    if (this_thread == nullptr) {
        std::array<char, 16> name{};
        pthread_getname_np(pthread_self(), name.data(), name.size());
        out << "thread " << name.data() << ", not a thread of the graph";
    } else {
        (out << "thread ").number(this_thread->index()) << " " << this_thread->name();
    }
    (out << ", tid ").number(static_cast<uint64_t>(syscall(SYS_gettid)));
    out.print();
}

void print_process(const siginfo_t& info) noexcept
{
    if (this_thread != nullptr && this_thread->index() == 0) {
        const char* const name = this_thread->engine().loop().running_name();
        std::array<std::byte, 48> copy{};
        if (name != nullptr && read_memory(name, std::span{copy}.first(copy.size() - 1)) > 0)
            (line{} << "process " << reinterpret_cast<const char*>(copy.data())).print();
    }
    if (info.si_code <= 0)
        return;
    const auto owner = owner_of_stack_guard(info.si_addr);
    if (!owner.process.empty())
        ((line{} << "process " << owner.process << " overflowed its stack of ")
             .number(owner.stack_size)
         << " bytes")
            .print();
}

line& put_mac(line& out, const net::mac_address& mac) noexcept
{
    for (size_t i = 0; i < mac.bytes.size(); ++i)
        (i == 0 ? out : out << ":").number(mac.bytes[i], 16, 2);
    return out;
}

line& put_ip4(line& out, net::be32 wire) noexcept
{
    const uint32_t value = wire.host();
    for (int shift = 24; shift >= 0; shift -= 8)
        (shift == 24 ? out : out << ".").number(value >> shift & 0xff);
    return out;
}

// In words, where they are Ethernet and IPv4.
void print_headers(std::span<const std::byte> bytes, size_t l3_offset) noexcept
{
    net::ethernet_header ethernet{};
    if (bytes.size() < sizeof ethernet)
        return;
    std::memcpy(&ethernet, bytes.data(), sizeof ethernet);
    line out;
    put_mac(out << "  ethernet ", ethernet.source);
    put_mac(out << " -> ", ethernet.destination);
    (out << " type 0x").number(ethernet.type.host(), 16, 4);
    out.print();
    net::ip4_header ip{};
    const size_t at = l3_offset != 0 ? l3_offset : sizeof ethernet;
    if (bytes.size() < at + sizeof ip)
        return;
    std::memcpy(&ip, bytes.data() + at, sizeof ip);
    if (ip.version() != 4)
        return;
    put_ip4(out << "  ipv4 ", ip.source);
    put_ip4(out << " -> ", ip.destination);
    (out << " protocol ").number(ip.protocol);
    (out << " ttl ").number(ip.ttl);
    (out << " length ").number(ip.total_length.host());
    out.print();
}

void print_bytes(std::span<const std::byte> bytes) noexcept
{
    for (size_t begin = 0; begin < bytes.size(); begin += 16) {
        line out;
        (out << "  ").number(begin, 16, 4) << ":";
        for (size_t i = begin; i < std::min(begin + 16, bytes.size()); ++i)
            (out << " ").number(static_cast<uint8_t>(bytes[i]), 16, 2);
        out.print();
    }
}

void print_packet(const frame* work) noexcept
{
    uint32_t count = 0;
    if (read_object(&work->count, count) && count == 0)
        return (line{} << "first packet: already sent on").print();
    std::array<packet*, 1> first{};
    alignas(rte_mbuf) std::array<std::byte, sizeof(rte_mbuf)> copy{};
    if (!read_object(reinterpret_cast<const std::array<packet*, 1>*>(work->packets.data()), first))
        return (line{} << "first packet: its frame cannot be read").print();
    if (read_memory(first[0], copy) != copy.size())
        return ((line{} << "first packet: at ").address(first[0]) << ", which is not mapped")
            .print();
    const packet& p = *packet::from(reinterpret_cast<rte_mbuf*>(copy.data()));
    line out;
    (out << "first packet: ").number(p.length()) << " bytes, interface ";
    out.number(p.metadata().interface) << ", network header at ";
    out.number(p.metadata().l3_offset).print();
    std::array<std::byte, header_bytes> bytes{};
    const auto asked = std::min<size_t>(bytes.size(), p.contiguous());
    const auto got = std::span{bytes}.first(read_memory(p.data(), std::span{bytes}.first(asked)));
    if (got.size() < asked)
        (line{} << "  its data cannot be read").print();
    print_headers(got, p.metadata().l3_offset);
    print_bytes(got);
}

void print_node() noexcept
{
    if (this_thread == nullptr)
        return;
    const auto call = this_thread->running_call();
    if (call.node == nullptr)
        return (line{} << "no node ran").print();
    line out;
    out << "node " << call.node;
    if (call.work == nullptr)
        return (out << ", an input node").print();
    (out << ", vector of ").number(call.packets) << (call.packets == 1 ? " packet" : " packets");
    out.print();
    print_packet(call.work);
}

void print_frame(size_t number, void* address, bool is_call) noexcept
{
    line out;
    ((out << "  #").number(number) << " ").address(address);
    if (!program_symbols::holds(address)) {
        out << " in ";
        out.print();
        backtrace_symbols_fd(&address, 1, STDERR_FILENO);
        return;
    }
    // a call that never returns may be a function's last instruction
    const auto found = symbols.at(static_cast<const char*>(address) - (is_call ? 1 : 0));
    (out << " weftd+0x").number(program_symbols::offset_of(address), 16);
    if (!found.name.empty())
        (out << " " << found.name << "+0x").number(found.distance + (is_call ? 1 : 0), 16);
    out.print();
}

void print_stack(void* instruction) noexcept
{
    (line{} << "stack (decode with c++filt and addr2line -e weftd):").print();
    std::array<void*, 64> frames;
    const auto count = static_cast<size_t>(backtrace(frames.data(), frames.size()));
    // what stands before the instruction is this handler
    size_t first = 0;
    while (first < count && frames[first] != instruction)
        ++first;
    if (first == count)
        first = 0;
    for (size_t i = first; i < count; ++i)
        print_frame(i - first, frames[i], i != first);
}

// Again with the default action, as the kernel or the sender sent it, when the handler returns.
void raise_by_default(int number, siginfo_t& info) noexcept
{
    struct sigaction by_default {};
    by_default.sa_handler = SIG_DFL;
    sigaction(number, &by_default, nullptr);
    const auto process = getpid();
    const auto thread = static_cast<pid_t>(syscall(SYS_gettid));
    if (syscall(SYS_rt_tgsigqueueinfo, process, thread, number, &info) != 0)
        syscall(SYS_tgkill, process, thread, number);
}

// All fatal signals are blocked meanwhile, so that the kernel ends the process by default if the
// handler itself fails.
void report(int number, siginfo_t* info, void* context) noexcept
{
    pid_t nobody = 0;
    if (!reporter.compare_exchange_strong(nobody, static_cast<pid_t>(syscall(SYS_gettid))))
        while (true) // another thread has crashed too, and ends the process
            pause();
    alarm(5);
    const auto& registers = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
    auto* const instruction = reinterpret_cast<void*>(registers[REG_RIP]);
    print_cause(number, *info, instruction);
    print_thread();
    print_process(*info);
    print_node();
    print_stack(instruction);
    (line{} << "end of the report").print();
    alarm(0);
    raise_by_default(number, *info);
}

} // namespace

void install_crash_report() noexcept
{
    symbols.load();
    if (pipe2(probe_pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0)
        probe_pipe = {-1, -1}; // then nothing can be read
    std::array<void*, 1> frames;
    backtrace(frames.data(), frames.size()); // loads the unwinder
    struct sigaction action {};
    action.sa_sigaction = report;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (int number : fatal_signals)
        sigaddset(&action.sa_mask, number);
    for (int number : fatal_signals)
        sigaction(number, &action, nullptr);
}

crash_scope::crash_scope(const graph_thread& self) noexcept : outer_{this_thread}
{
    this_thread = &self;
    void* const memory = mmap(nullptr, handler_stack_size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        return; // reports go without, but for overrun stacks
    stack_ = memory;
    const stack_t mine{.ss_sp = memory, .ss_flags = 0, .ss_size = handler_stack_size};
    sigaltstack(&mine, &before_);
}

crash_scope::~crash_scope()
{
    this_thread = outer_;
    if (stack_ == nullptr)
        return;
    sigaltstack(&before_, nullptr);
    munmap(stack_, handler_stack_size);
}

namespace {

const init_registration each_worker{
    "crash-report", [](graph_thread& self) -> result<void> {
        thread_local std::optional<crash_scope> scope; // until the thread ends
        scope.emplace(self);
        return {};
    }};

} // namespace

} // namespace weft
