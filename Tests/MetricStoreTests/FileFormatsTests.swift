import Foundation
import MetricModel
import Runtime
import TestSupport
import Testing

@testable import MetricStore

/// `docs/architecture/file-formats.md` against files of a store, read by the document's own Python.
@Suite struct FileFormatsTests {
    private static let reader = """
        import struct, sys
        def word(data, place): return int.from_bytes(data[place:place + 8], "little")
        def require(condition, text):
            if not condition: sys.exit(text)
        log = open("series.log", "rb").read()
        require(log[:8] == b"TRBLOG01" and word(log, 24) == checksum(log[:24]), "header of series.log")
        place, frames = 32, 0
        while place < len(log):
            length, sum = struct.unpack_from("<II", log, place)
            require(sum == checksum(log[place + 8:place + 8 + length]) & 2**32 - 1, "frame of series.log")
            place, frames = place + 8 + length, frames + 1
        rows = open("rows/" + sys.argv[1], "rb").read()
        require(rows[:8] == b"TRROWS01" and word(rows, 32) == checksum(rows[:32]), "header of rows")
        require(word(rows, 16) == word(log, 16), "the store")
        place, records = 64, 0
        while rows[place + 8:place + 12] == b"ROW1":
            length = struct.unpack_from("<I", rows, place + 12)[0]
            mark = (word(rows, 24) << 32 | place) * 0x9E3779B97F4A7C15 & 2**64 - 1
            require(word(rows, place) == checksum(rows[place + 8:place + length]) ^ mark, "record of rows")
            place, records = place + length, records + 1
        print(frames, records)
        """

    @Test func theDocumentsChecksumIsThatOfTheFiles() throws {
        let document = try String(
            contentsOf: URL(filePath: #filePath).deletingLastPathComponent().appending(
                path: "../../docs/architecture/file-formats.md"), encoding: .utf8)
        let function = try #require(document.components(separatedBy: "```python\n").dropFirst().first)
        let source = function.components(separatedBy: "```")[0] + Self.reader
        let directory = try TemporaryDirectory()
        do {
            let store = try MetricStore(StoreConfiguration(directory: directory.path), registry: nil)
            let lane = try store.openLane("lane")
            for row in 1...5 {
                var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
                for series in 0...row {
                    appender.append(try lane.slot(for: ["__name__": "m", "i": "\(series)"]), Double(row))
                }
                try appender.commit()
            }
        }
        let file = try #require(try directory.files(in: "rows").first)
        let script = directory.path + "/read.py"
        try source.write(toFile: script, atomically: true, encoding: .utf8)
        let output = directory.path + "/output"
        let process = try ChildProcess(
            ["sh", "-c", "cd '\(directory.path)' && exec python3 read.py \(file)"], output: .file(output),
            errors: .file(output))
        #expect(process.wait() == .code(0))
        let counts = try String(contentsOfFile: output, encoding: .utf8)
        #expect(
            counts.split(separator: " ").compactMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }.min()
                ?? 0 >= 1, "\(counts)")
    }
}
