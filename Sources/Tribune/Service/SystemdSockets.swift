internal import Glibc
internal import WebServer

/// The listening sockets passed by systemd (sd_listen_fds).
enum SystemdSockets {
    /// The first descriptor passed by systemd.
    private static let first: Int32 = 3

    static func addresses() throws(CommandFailure) -> [HTTPListenAddress] {
        guard let process = environment("LISTEN_PID"), Int32(process) == getpid(),
            let count = environment("LISTEN_FDS").flatMap({ Int32($0) }), (1...1000).contains(count)
        else {
            throw CommandFailure(
                "--web.systemd-socket: no socket activation file descriptors found; start this as the service of a socket unit",
                code: .usage)
        }
        return (0..<count).map { .inherited(descriptor: first + $0) }
    }

    private static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}
