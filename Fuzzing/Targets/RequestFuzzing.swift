import WebServer

/// HTTP/1 requests: the result does not depend on the pieces in which the bytes arrive.
///
/// The first byte chooses the size of the pieces; the rest is what the client sends.
enum RequestFuzzing {
    static func finding(in bytes: [UInt8]) -> String? {
        guard let first = bytes.first else { return nil }
        let sent = bytes.dropFirst()
        let whole = RequestTrace.lines(of: [sent])
        for size in [1, Int(first % 61) + 2] {
            let starts = stride(from: sent.startIndex, to: sent.endIndex, by: size)
            let pieces = starts.map { sent[$0..<min($0 + size, sent.endIndex)] }
            let lines = RequestTrace.lines(of: pieces)
            if lines != whole { return "whole: \(whole); in pieces of \(size): \(lines)" }
        }
        return nil
    }
}
