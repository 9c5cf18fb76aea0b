// Sends requests to an HTTP server repeatedly over one connection and prints their durations. The client itself takes
// about ten microseconds per request, so that short responses are measurable. Usage: QueryClient PORT REPETITIONS
// < paths, one per line. `{now}` and `{now-N}` are the time in seconds. `{again}` is the number of the repetition,
// which makes each query different. Output, one line per path: status, bytes of the body, median, minimum and 99th
// percentile in microseconds.
import Glibc

/// A persistent connection to a server on this machine.
struct Connection {
    private let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 1 << 18)

    init?(port: UInt16) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { return nil }
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Sends a GET and reads the whole response. `nil` if the connection was lost.
    mutating func get(_ path: String) -> (status: Int, bytes: Int)? {
        let request = Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
        guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else { return nil }
        var answer = Answer()
        while !answer.isComplete {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            answer.take(buffer[..<count])
        }
        return (answer.status, answer.bodyBytes)
    }
}

/// A response while it is received: with a length, or in chunks.
struct Answer {
    private(set) var status = 0
    private(set) var bodyBytes = 0
    private(set) var isComplete = false
    private var head: [UInt8] = []
    private var hasHead = false
    private var length: Int?
    /// For a chunked body: remaining bytes of the current chunk, including line ends; the line of its size so far.
    private var chunkRest = 0
    private var sizeLine: [UInt8] = []

    mutating func take(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        if !hasHead {
            head += rest
            guard let end = Self.headEnd(head) else { return }
            rest = head[end...]
            readHead(String(decoding: head[..<end], as: UTF8.self))
            hasHead = true
        }
        guard length == nil else {
            bodyBytes += rest.count
            isComplete = bodyBytes >= length ?? 0
            return
        }
        takeChunks(rest)
    }

    private static func headEnd(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for index in 3..<bytes.count where bytes[index] == 10 && bytes[index - 2] == 10 && bytes[index - 1] == 13 {
            return index + 1
        }
        return nil
    }

    private mutating func readHead(_ text: String) {
        status = Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0
        for line in text.split(whereSeparator: \.isNewline) {
            let lowered = line.lowercased()
            if lowered.hasPrefix("content-length:") {
                length = Int(lowered.dropFirst("content-length:".count).filter { $0 != " " })
            }
        }
        if length == 0 { isComplete = true }
    }

    private mutating func takeChunks(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        while !rest.isEmpty && !isComplete {
            if chunkRest > 0 {
                let count = min(chunkRest, rest.count)
                chunkRest -= count
                rest = rest.dropFirst(count)
                continue
            }
            let byte = rest.removeFirst()
            if byte != 10 {
                if byte != 13 { sizeLine.append(byte) }
                continue
            }
            let size = Int(String(decoding: sizeLine, as: UTF8.self), radix: 16)
            if size == 0 { isComplete = true }
            if let size {
                bodyBytes += size
                chunkRest = size + 2
            }
            sizeLine = []
        }
    }
}

func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// The path with times and repetition filled in.
func filled(_ path: String, at moment: Double, again: Int) -> String {
    let path = path.split(separator: "{again}", omittingEmptySubsequences: false).joined(separator: "\(again)")
    var result = ""
    for (index, piece) in path.split(separator: "{now", omittingEmptySubsequences: false).enumerated() {
        guard index > 0, let end = piece.firstIndex(of: "}") else {
            result += piece
            continue
        }
        let shift = Double(piece[..<end]) ?? 0
        result += "\((moment + shift).rounded())" + piece[piece.index(after: end)...]
    }
    return result
}

let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
guard arguments.count == 2, let port = UInt16(exactly: arguments[0]), var connection = Connection(port: port) else {
    print("usage: QueryClient PORT REPETITIONS < paths; the server must listen on 127.0.0.1")
    exit(1)
}
while let path = readLine() {
    var durations: [Double] = []
    var last = (status: 0, bytes: 0)
    // The first two are not counted.
    for repetition in 0..<arguments[1] + 2 {
        let request = filled(path, at: now(), again: repetition)
        let begin = now()
        guard let answer = connection.get(request) else {
            print("the connection broke at \(path)")
            exit(1)
        }
        if repetition >= 2 { durations.append((now() - begin) * 1e6) }
        last = answer
    }
    durations.sort()
    let median = durations.isEmpty ? 0 : durations[durations.count / 2]
    let slow = durations.isEmpty ? 0 : durations[(durations.count - 1) * 99 / 100]
    let figures = [median, durations.first ?? 0, slow].map { "\(Int($0.rounded()))" }.joined(separator: " ")
    print("\(last.status) \(last.bytes) \(figures)")
}
