import Glibc
import Runtime
import Synchronization

/// Rollbacks under load: whether any request fails.
enum Drain {
    /// The senders' counters.
    private final class Count: Sendable {
        let sent = Atomic<Int>(0)
        let failed = Atomic<Int>(0)
        /// Sent again because the proxy had closed the idle connection in the meantime, which is allowed.
        let again = Atomic<Int>(0)
        let isOver = Atomic<Bool>(false)
    }

    static func run(_ rounds: Int, perSecond: Int, through proxy: any LoadedProxy) throws {
        let chain = try Chain(
            """
            plan: p
            stages: [50, 100]
            bake: 1h
            settle: 0s
            validation: {rounds: 1, interval: 10ms, timeout: 10s}
            services:
            - name: web
              \(proxy.route("web"))
            """)
        let (quick, slow, port) = (Count(), Count(), proxy.port)
        let senders = 16
        let pause = Int64(1_000_000_000 * senders / perSecond)
        let threads =
            try (0..<senders).map { number in
                try WorkerThread("quick \(number)") { send("/web/", port, pause: pause, quick) }
            }
            + (0..<48).map { number in
                try WorkerThread("slow \(number)") { send("/web/slow", port, pause: 0, slow) }
            }
        var inFlight = 0
        let start = SystemClock.monotonicNanoseconds()
        for _ in 0..<rounds {
            try chain.advance(to: "baking")
            usleep(500_000)
            inFlight += proxy.busy.count
            _ = try chain.violate()
            usleep(400_000)
        }
        let seconds = Double(SystemClock.monotonicNanoseconds() - start) / 1e9
        for count in [quick, slow] { count.isOver.store(true, ordering: .relaxed) }
        for thread in threads { thread.join() }
        let sent = quick.sent.load(ordering: .relaxed)
        print(
            "\(rounds) rollbacks in drain mode, \(sent) requests at \(Int(Double(sent) / seconds)) a second and "
                + "\(slow.sent.load(ordering: .relaxed)) slow ones, of which \(inFlight) were in flight on the candidate when "
                + "it lost its traffic:")
        let again = quick.again.load(ordering: .relaxed) + slow.again.load(ordering: .relaxed)
        if again > 0 { print("  sent anew over another connection: \(again)") }
        print("  failed: \(quick.failed.load(ordering: .relaxed)) and \(slow.failed.load(ordering: .relaxed))")
    }

    /// Sends requests over one connection until it is stopped. A request without status 200 has failed.
    private static func send(_ path: String, _ port: Int, pause: Int64, _ count: Count) {
        let request = Array("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        var buffer = [UInt8](repeating: 0, count: 4096)
        var connection: Int32 = -1
        var next = SystemClock.monotonicNanoseconds()
        while !count.isOver.load(ordering: .relaxed) {
            let isKept = connection >= 0
            if connection < 0 { connection = connect(port) }
            count.sent.wrappingAdd(1, ordering: .relaxed)
            var answer = connection < 0 ? Answer.bad : ask(connection, request, &buffer)
            if answer == .none, isKept {
                // A connection closed before the first byte of a response was not in flight (RFC 9112, 9.3.1).
                count.again.wrappingAdd(1, ordering: .relaxed)
                close(connection)
                connection = connect(port)
                answer = connection < 0 ? .bad : ask(connection, request, &buffer)
            }
            if answer != .whole {
                count.failed.wrappingAdd(1, ordering: .relaxed)
                if connection >= 0 { close(connection) }
                connection = -1
            }
            next += pause
            let wait = next - SystemClock.monotonicNanoseconds()
            if wait > 0 { usleep(UInt32(wait / 1000)) } else { next -= wait }
        }
        if connection >= 0 { close(connection) }
    }

    /// The result of a request.
    private enum Answer {
        /// The complete response, with status 200.
        case whole
        /// No bytes.
        case none
        case bad
    }

    private static func ask(_ connection: Int32, _ request: [UInt8], _ buffer: inout [UInt8]) -> Answer {
        // Not `write`, whose signal on a closed connection would end the process.
        guard Glibc.send(connection, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            return .none
        }
        var length = 0
        while length < buffer.count {
            let count = buffer.withUnsafeMutableBytes { read(connection, $0.baseAddress! + length, $0.count - length) }
            guard count > 0 else { return length == 0 ? .none : .bad }
            length += count
            // Every response's body is "ok" and a line end.
            if buffer[..<length].suffix(3) == [0x6f, 0x6b, 0x0a] {
                return buffer.starts(with: Array("HTTP/1.1 200".utf8)) ? .whole : .bad
            }
        }
        return .bad
    }

    private static func connect(_ port: Int) -> Int32 {
        let file = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(file, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if isConnected { return file }
        close(file)
        return -1
    }
}
