import Glibc
import Runtime
import Synchronization

/// A server on a free loopback port that answers with exactly the bytes a test wants, good or bad.
public final class LoopbackServer: Sendable {
    /// A request as it came.
    public struct Request: Sendable {
        /// `GET /metrics HTTP/1.1`.
        public var line: String
        /// Names in lower case.
        public var headers: [String: String]
        /// The body, if there was a `Content-Length`.
        public var body: [UInt8]

        /// The path with its query.
        public var target: String { line.split(separator: " ").dropFirst().first.map(String.init) ?? "" }
    }

    /// The server's reaction to a request.
    public enum Reply: Sendable {
        /// Sends bytes as they are and keeps the connection.
        case bytes([UInt8])
        /// Sends pieces one by one, without waiting for more to fill a packet, and keeps the connection.
        case pieces([[UInt8]])
        /// Sends bytes as they are and closes.
        case bytesThenClose([UInt8])
        /// Sends the chunk again and again until the peer goes away.
        case endless(head: [UInt8], chunk: [UInt8])
        /// Says nothing until the server stops or the peer goes away.
        case hang

        /// A well-formed answer.
        public static func ok(
            _ body: some StringProtocol, type: String = "text/plain; version=0.0.4", status: String = "200 OK",
            headers: String = ""
        ) -> Reply {
            ok(Array(body.utf8), type: type, status: status, headers: headers)
        }

        /// A well-formed answer.
        public static func ok(
            _ body: [UInt8], type: String = "text/plain; version=0.0.4", status: String = "200 OK",
            headers: String = ""
        ) -> Reply {
            let length = "Content-Length: \(body.count)\r\n\r\n"
            return .bytes(Array("HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\n\(headers)\(length)".utf8) + body)
        }
    }

    private struct State {
        var connections: [Int32] = []
        var threads: [WorkerThread] = []
        var accepted = 0
        var open = 0
        var isStopped = false
    }

    private let listener: Int32
    private let state = Mutex(State())
    private let acceptor = Mutex<WorkerThread?>(nil)
    private let handler: @Sendable (Request) -> Reply
    /// The port.
    public let port: Int

    /// A server that answers with what `handler` says.
    public init(_ handler: @escaping @Sendable (Request) -> Reply) {
        self.handler = handler
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, length) == 0 && listen(listener, 128) == 0
                    && getsockname(listener, address, &length) == 0
            }
        }
        precondition(bound, "no free loopback port")
        port = Int(UInt16(bigEndian: address.sin_port))
        guard let thread = try? WorkerThread("test-accept", { [self] in accept() }) else {
            fatalError("no thread for a test's server")
        }
        acceptor.withLock { $0 = thread }
    }

    /// `http://127.0.0.1:PORT`.
    public var url: String { "http://127.0.0.1:\(port)" }

    /// How many connections were made.
    public var connectionCount: Int { state.withLock { $0.accepted } }

    /// How many of them neither side has closed.
    public var openCount: Int { state.withLock { $0.open } }

    /// Closes everything and waits for the threads. Further calls do nothing.
    public func stop() {
        let isFirst = state.withLock { state in
            defer { state.isStopped = true }
            return !state.isStopped
        }
        guard isFirst else { return }
        shutdown(listener, Int32(SHUT_RDWR))
        acceptor.withLock { $0 }?.join()
        close(listener)
        let (connections, threads) = state.withLock { ($0.connections, $0.threads) }
        for connection in connections { shutdown(connection, Int32(SHUT_RDWR)) }
        for thread in threads { thread.join() }
        for connection in connections { close(connection) }
    }

    private func accept() {
        while true {
            let connection = Glibc.accept(listener, nil, nil)
            if connection < 0 || state.withLock({ $0.isStopped }) {
                if connection >= 0 { close(connection) }
                return
            }
            // Before any client can have a response over it.
            state.withLock { state in
                state.accepted += 1
                state.open += 1
            }
            let started = try? WorkerThread("test-serve") { [self] in
                serve(connection)
                shutdown(connection, Int32(SHUT_RDWR))
                state.withLock { $0.open -= 1 }
            }
            guard let thread = started else { fatalError("no thread for a test's connection") }
            state.withLock { state in
                state.connections.append(connection)
                state.threads.append(thread)
            }
        }
    }

    private func serve(_ connection: Int32) {
        var input: [UInt8] = []
        while let request = Self.read(connection, &input) {
            switch handler(request) {
            case .bytes(let bytes):
                guard Self.write(connection, bytes) else { return }
            case .pieces(let pieces):
                var yes: Int32 = 1
                setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
                for piece in pieces {
                    guard Self.write(connection, piece) else { return }
                    sched_yield()
                }
            case .bytesThenClose(let bytes):
                _ = Self.write(connection, bytes)
                return
            case .endless(let head, let chunk):
                guard Self.write(connection, head) else { return }
                while Self.write(connection, chunk) {}
                return
            case .hang:
                var byte: UInt8 = 0
                while recv(connection, &byte, 1, 0) > 0 {}
                return
            }
        }
    }

    private static func write(_ connection: Int32, _ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var rest = UnsafeRawBufferPointer(buffer)[...]
            while !rest.isEmpty {
                let piece = UnsafeRawBufferPointer(rebasing: rest)
                let count = send(connection, piece.baseAddress, piece.count, Int32(MSG_NOSIGNAL))
                if count <= 0 { return false }
                rest = rest.dropFirst(count)
            }
            return true
        }
    }

    private static func read(_ connection: Int32, _ input: inout [UInt8]) -> Request? {
        func more(_ input: inout [UInt8]) -> Bool {
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            let count = recv(connection, &chunk, chunk.count, 0)
            if count > 0 { input += chunk[..<count] }
            return count > 0
        }
        var end = headEnd(input)
        while end == nil {
            guard more(&input) else { return nil }
            end = headEnd(input)
        }
        guard let end else { return nil }
        let lines = String(decoding: input[..<end], as: UTF8.self).split(separator: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " }) }
        }
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        while input.count < end + 4 + length {
            guard more(&input) else { return nil }
        }
        let body = Array(input[(end + 4)..<(end + 4 + length)])
        input.removeFirst(end + 4 + length)
        return Request(line: lines.first.map(String.init) ?? "", headers: headers, body: body)
    }

    private static func headEnd(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        return (0...(bytes.count - 4)).first { bytes[$0..<($0 + 4)].elementsEqual([13, 10, 13, 10]) }
    }
}
