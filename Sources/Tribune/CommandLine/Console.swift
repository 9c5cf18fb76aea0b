internal import Glibc
internal import Runtime

/// Standard output and standard error.
enum Console {
    /// Writes `text` and a line break to standard output.
    static func print(_ text: String, terminator: String = "\n") { write(text + terminator, to: STDOUT_FILENO) }

    /// Writes `text` and a line break to standard error.
    static func error(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

    /// Whether standard output is a terminal.
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// The text of standard input, at most 64 MiB.
    static func standardInput() throws(CommandFailure) -> String {
        String(decoding: try standardInputBytes(), as: UTF8.self)
    }

    /// The bytes of standard input, at most 64 MiB.
    static func standardInputBytes() throws(CommandFailure) -> [UInt8] {
        do throws(FileText.ReadError) {
            return try FileText.bytes("/dev/stdin", limit: 64 << 20)
        } catch {
            throw CommandFailure("standard input: \(error.reason)")
        }
    }

    /// The first word of the file at `path`, a secret.
    static func secret(in path: String) throws(CommandFailure) -> String {
        guard let word = FileText.read(path)?.split(whereSeparator: \.isWhitespace).first else {
            throw CommandFailure("\(path) cannot be read or is empty")
        }
        return String(word)
    }

    /// Rows with two columns. The second column is aligned and wrapped at 100 characters.
    static func table(_ rows: [(String, String)]) -> String {
        let width = min(38, (rows.map(\.0.count).max() ?? 0) + 2)
        return rows.map { left, right in
            var lines: [String] = []
            var line = left
            line += String(repeating: " ", count: max(1, width - left.count))
            var used = line.count
            for word in right.split(separator: " ", omittingEmptySubsequences: true) {
                if used + word.count > 100, used > width {
                    lines.append(line)
                    line = String(repeating: " ", count: width)
                    used = width
                }
                line += word + " "
                used += word.count + 1
            }
            lines.append(line)
            return lines.map { line in
                var line = line
                while line.last == " " { line.removeLast() }
                return line + "\n"
            }.joined()
        }.joined()
    }

    /// Writes bytes to standard output. Throws if nobody reads them, or the disk is full.
    static func write(_ bytes: [UInt8]) throws(CommandFailure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw CommandFailure("standard output: \(SystemError.current)") }
            rest = rest.dropFirst(count)
        }
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { bytes in
            var offset = 0
            while offset < bytes.count, let base = bytes.baseAddress {
                let count = unsafe Glibc.write(descriptor, base + offset, bytes.count - offset)
                if count < 0 && errno == EINTR { continue }
                // The reader has closed the pipe.
                if count <= 0 { return }
                offset += count
            }
        }
    }
}
