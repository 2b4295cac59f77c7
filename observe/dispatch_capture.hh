// SPDX-License-Identifier: Apache-2.0
// The capture of vectors that runs: what the threads copy goes to a file.
#pragma once

#include "graph/engine.hh"
#include "graph/thread/capture_buffer.hh"
#include "nodes/interface/interface.hh"
#include "observe/capture_file.hh"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weft {

struct capture_request {
    std::string path;
    std::vector<node_id> nodes;
    std::vector<std::string> names; // theirs
    uint64_t most = 0;              // packets
    uint64_t max_bytes =
        max_recording; // of the file, about: what a replay reads, so that no disk fills up
    uint32_t snap = 0; // bytes of a packet
};

// A module of the engine. Main thread.
class dispatch_capture {
public:
    enum class state { off, on, ending }; // ending: threads may still be writing their last vector

    explicit dispatch_capture(engine& engine);
    ~dispatch_capture(); // no thread runs the graph
    dispatch_capture(const dispatch_capture&) = delete;
    dispatch_capture& operator=(const dispatch_capture&) = delete;

    // Makes a new file and lets the threads copy. Errors: errc::exists for a capture that runs, or
    // a file that is there already; what the system says of the file.
    result<void> begin(capture_request what, std::vector<std::shared_ptr<capture_buffer>> buffers);
    // The buffers for that, one for each thread. Lets others run meanwhile where there is a
    // process.
    [[nodiscard]] static std::vector<std::shared_ptr<capture_buffer>>
    make_buffers(engine& engine, const capture_request& what, process* self);
    // Lets them stop; the file is complete when is() is off.
    void end();
    // Writes some of what was copied; false if there was nothing. Called again and again by the
    // process of the capture.
    bool step();

    [[nodiscard]] state is() const noexcept { return state_; }
    // Of the capture that runs, or ran last.
    [[nodiscard]] const capture_request& request() const noexcept { return request_; }
    [[nodiscard]] uint64_t packets() const noexcept { return packets_; }
    [[nodiscard]] uint64_t vectors() const noexcept { return vectors_; }
    [[nodiscard]] uint64_t bytes() const noexcept { return file_bytes_; }
    [[nodiscard]] uint64_t missed() const noexcept; // packets for which there was no room
    [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

private:
    [[nodiscard]] capture_buffer* earliest() const;
    void append(const captured_packet& what);
    [[nodiscard]] size_t interface_of(interface_index index);
    void flush();
    void end_early(std::string why);
    void finish();

    engine& engine_;
    state state_ = state::off;
    capture_request request_;
    int fd_ = -1;
    std::vector<std::shared_ptr<capture_buffer>> buffers_; // by thread
    std::vector<std::byte> blocks_;                        // to be written
    std::vector<std::byte> data_;                          // of the packet in hand
    std::vector<size_t> interfaces_; // by interface_index: the file's, or none
    size_t interface_count_ = 0;
    uint64_t begun_tsc_ = 0;
    uint64_t begun_ns_ = 0; // the same moment since 1970
    uint64_t packets_ = 0;
    uint64_t vectors_ = 0;
    uint64_t file_bytes_ = 0;
    uint64_t missed_ = 0; // once the buffers are gone
    std::pair<unsigned, uint32_t> last_vector_{};
    std::map<node_id, std::string>
        names_;           // of nodes that were seen, which may be removed meanwhile
    std::string failure_; // why it ended before it was told to
    bool cannot_write_ = false;
};

} // namespace weft
